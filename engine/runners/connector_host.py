"""The host: one process that runs the actions of connectors, many at a time.

Started by `engine.runners.connector_hosts` with the number of a socket. Requests are `{id, call: {...}}` and
`{id, cancel: true}`; answers `{id, value}`, `{id, error: {...}}` and, before them, `{id, log: text}`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.connectors.catalogue import is_import_path
from engine.connectors.plugins import ENTRY_POINTS
from engine.connectors.protocol import CallContext, Connector, ConnectorError
from engine.runners.channel import LENGTH
from engine.values import require_json

_BUILT_IN = {"file": "engine.connectors.files:FileConnector", "http": "engine.connectors.http:HttpConnector"}

Reply = Callable[[Mapping[str, Any]], None]

_LARGEST_BYTES = 64 << 20


def main() -> None:
    """Serve until the engine closes the socket."""
    end = socket.socket(fileno=int(sys.argv[2]))
    end.set_inheritable(False)
    if len(sys.argv) > 3:
        sys.path.append(sys.argv[3])  # the project's own connectors; our modules come first
    asyncio.run(serve(end))


async def serve(end: socket.socket) -> None:
    """Answer requests on `end` until it is closed."""
    reader, writer = await asyncio.open_connection(sock=end)
    host = Host()
    calls: dict[int, asyncio.Task[None]] = {}

    def reply(message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        writer.write(LENGTH.pack(len(body)) + body)

    try:
        while True:
            (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
            request = json.loads(await reader.readexactly(size))
            number = request["id"]
            if "cancel" in request:
                if number in calls:
                    calls[number].cancel()
                continue
            calls[number] = asyncio.create_task(host.answer(number, request["call"], reply))
            calls[number].add_done_callback(lambda _, number=number: calls.pop(number, None))  # type: ignore[misc]
    except (asyncio.IncompleteReadError, ConnectionError):
        for task in list(calls.values()):
            task.cancel()
        await asyncio.gather(*calls.values(), return_exceptions=True)
        writer.close()


class Host:
    """Connectors by type and configuration, made when first needed."""

    def __init__(self) -> None:
        self._connectors: dict[tuple[str, str], Connector] = {}

    async def answer(self, number: int, call: Mapping[str, Any], reply: Reply) -> None:
        """Run one action and reply with how it ended."""
        context = CallContext(Path(call["run_dir"]), lambda text: reply({"id": number, "log": str(text)}))
        try:
            connector = self._connector(call["type"], call["config"])
            value = await connector.call(call["action"], call["arguments"], context)
            require_json(value)
            size = len(json.dumps(value))
            if size > _LARGEST_BYTES:
                raise ConnectorError("output", f"the output has {size} bytes, more than {_LARGEST_BYTES}")
        except ConnectorError as error:
            reply({"id": number, "error": _described(error)})
        except asyncio.CancelledError:
            reply({"id": number, "error": {"kind": "error", "message": "cancelled", "name": "Cancelled"}})
            raise
        except Exception as error:  # noqa: BLE001 - a connector is its author's code
            name = type(error).__name__
            text = f"`{call['type']}.{call['action']}` raised `{name}`: {error}"
            reply({"id": number, "error": {"kind": "error", "message": text, "name": name}})
        else:
            reply({"id": number, "value": value})

    def _connector(self, type_name: str, config: Mapping[str, Any]) -> Connector:
        key = type_name, json.dumps(config, sort_keys=True)
        if key not in self._connectors:
            self._connectors[key] = _load(type_name)(config)
        return self._connectors[key]


def _described(error: ConnectorError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "message": error.message,
        "http_status": error.http_status,
        "name": error.name,
        "retry_after_s": error.retry_after_s,
    }


def _load(type_name: str) -> Callable[[Mapping[str, Any]], Connector]:
    path = _BUILT_IN.get(type_name, type_name)
    if is_import_path(path):
        module, _, name = path.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]
    for point in metadata.entry_points(group=ENTRY_POINTS, name=type_name):
        return point.load()  # type: ignore[no-any-return]
    raise ConnectorError("error", f"there is no connector type `{type_name}`", name="UnknownConnector")
