"""A small client of the language server: starts the real program and speaks the protocol over its streams."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"rename": {"prepareSupport": True}},
}


class Client:
    """A server for one folder. Requests wait for their answer; notifications that come meanwhile are kept."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "flowctl", "lsp"]
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._number = 0
        self._versions: dict[str, int] = {}
        self._kept: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self.capabilities = self.ask(
            "initialize",
            {"processId": None, "rootUri": self.folder.as_uri(), "capabilities": CAPABILITIES},
        )["capabilities"]
        self.tell("initialized", {})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.ask("shutdown", None)
            self.tell("exit", None)
        self.process.communicate(timeout=20)

    # --- documents --------------------------------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str) -> list[dict[str, Any]]:
        """Open a document, and wait for what is found in it."""
        self._versions[name] = 1
        document = {"uri": self.uri(name), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return self.findings(name)

    def change(self, name: str, text: str) -> list[dict[str, Any]]:
        """Put another text in place of a document's, and wait for what is found in it."""
        self.change_only(name, text)
        return self.findings(name)

    def change_only(self, name: str, text: str) -> None:
        self._versions[name] += 1
        document = {"uri": self.uri(name), "version": self._versions[name]}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def findings(self, name: str) -> list[dict[str, Any]]:
        """The next findings published for a document."""
        uri = self.uri(name)
        found = self._next(
            lambda one: one.get("method") == "textDocument/publishDiagnostics" and one["params"]["uri"] == uri
        )
        diagnostics: list[dict[str, Any]] = found["params"]["diagnostics"]
        return diagnostics

    def at(self, method: str, name: str, line: int, column: int, **more: Any) -> Any:
        """Ask something about a position of a document."""
        where = {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": column}}
        return self.ask(f"textDocument/{method}", {**where, **more})

    # --- the protocol -----------------------------------------------------------------------------------------------------

    def ask(self, method: str, params: Any) -> Any:
        """The result of a request; an error is raised as `AssertionError` with its message."""
        answer = self.request(method, params)
        assert "error" not in answer, answer["error"]["message"]
        return answer["result"]

    def request(self, method: str, params: Any) -> dict[str, Any]:
        """The whole answer to a request."""
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self._next(lambda one: one.get("id") == number and "method" not in one)

    def tell(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _next(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        for number, message in enumerate(self._kept):
            if is_wanted(message):
                return self._kept.pop(number)
        while True:
            message = self._read()
            if is_wanted(message):
                return message
            self._kept.append(message)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the server has gone"
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message
