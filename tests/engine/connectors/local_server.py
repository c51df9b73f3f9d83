"""A server on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers by path; `answers` are (status, headers, body) or a function that handles it."""

    address: str
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def answer_json(self, path: str, value: Any, status: int = 200) -> str:
        self.answers[path] = status, {"Content-Type": "application/json"}, json.dumps(value).encode()
        return self.address + path

    def answer(self, path: str, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> str:
        self.answers[path] = status, headers or {}, body
        return self.address + path

    def hang(self, path: str) -> str:
        """A path that does not answer before `release` is set; `waiting` tells that it was asked."""

        def handle(handler: BaseHTTPRequestHandler) -> None:
            self.waiting.set()
            self.release.wait(30)
            handler.close_connection = True

        self.answers[path] = handle
        return self.address + path


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of loopback."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Server(f"http://127.0.0.1:{httpd.server_port}")
    httpd.RequestHandlerClass = _handler(made)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _handler(server: Server) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.seen.append(Seen(self.command, self.path, headers, body))
            answer = server.answers.get(self.path.partition("?")[0], (404, {}, b""))
            if callable(answer):
                answer(self)
                return
            status, extra, body = answer
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            pass

    return Handler
