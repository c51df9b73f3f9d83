"""`flowctl run` of a flow that asks a server: secrets in headers, values in addresses, retries that the server asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.connectors.local_server import Server, serving
from tests.flowctl.commands import home, json_lines, write

Program = Any


@pytest.fixture
def peer() -> Iterator[Server]:
    with serving() as found:
        yield found


def test_a_secret_reaches_a_header_and_nothing_that_is_kept(program: Program, tmp_path: Path, peer: Server) -> None:
    url = peer.answer_json("/a%2Fb%3Fc", {"n": 3})
    assert url
    text = """\
        version: 1
        name: web
        params: {base: {type: string}, part: {type: string}}
        secrets: {TOKEN: {from: "env:TOKEN"}}
        tasks:
          ask:
            use: http.request
            with:
              url: "${{ params.base }}/${{ params.part }}"
              headers: {Authorization: "Bearer ${{ secrets.TOKEN }}"}
          tell: {after: [ask], set: {n: "${{ tasks.ask.output.json.n }}"}}
        outputs: {n: "${{ tasks.tell.output.n }}"}
        """
    write(tmp_path, "web", "\n".join(line.removeprefix(" " * 8) for line in text.splitlines()) + "\n")
    env = {**home(tmp_path), "TOKEN": "correct-horse-battery"}
    done = program("run", "web", "-p", f"base={peer.address}", "-p", "part=a/b?c", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout)[-1]["run"]["outputs"] == {"n": 3}
    assert [one.headers["authorization"] for one in peer.seen] == ["Bearer correct-horse-battery"]
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"correct-horse" in path.read_bytes()]
    assert "correct-horse" not in done.stdout + done.stderr


def test_a_server_that_refuses_for_its_rate_sets_its_own_pace(program: Program, tmp_path: Path, peer: Server) -> None:
    answers = iter([(429, {"Retry-After": "0"}, b""), (200, {}, b"fine")])

    def answer(handler: Any) -> None:
        status, headers, body = next(answers)
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    peer.answers["/x"] = answer
    flow = {
        "version": 1,
        "name": "web",
        "tasks": {
            "ask": {
                "use": "http.request",
                "with": {"url": f"{peer.address}/x"},
                "retry": {"rate_limit": {"delays": ["0s"]}},
            }
        },
    }
    write(tmp_path, "web", json.dumps(flow))
    done = program("run", "web", "--json", env=home(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout)[-1]["tasks"]["ask"]["attempts"] == 2
