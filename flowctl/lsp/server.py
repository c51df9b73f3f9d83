"""The server: the protocol on one side, the pure functions of this package on the other.

Checks run in a thread, one at a time for each file and only for its newest text, so that a request made while somebody
types is answered at once from what was last known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from flowctl.lsp import answers
from flowctl.lsp.desk import Desk
from flowctl.lsp.occurrences import CannotRename
from flowctl.reading import absolute
from flowctl.version import VERSION

DEBOUNCE_S = 0.05
"""Seconds without a change after which a text is checked."""


class FlowServer(LanguageServer):
    """A language server for flows on stdin and stdout."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__("flowctl", VERSION, max_workers=2)
        self.desk = Desk(environ)
        self._waiting: dict[Path, asyncio.Task[None]] = {}
        _add_features(self)

    def report_server_error(self, error: Exception, source: Any) -> None:  # noqa: ARG002 - the library's signature
        """A defect of ours is told on stderr; a window popping up while somebody types helps nobody."""
        logging.getLogger("flowctl.lsp").error("the server failed with %s", type(error).__name__)

    @property
    def encoding(self) -> str:
        """How the client counts columns."""
        return str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding) or "utf-16")

    def path_of(self, uri: str) -> Path:
        """The file of a document; one that was never saved stands in the current folder."""
        name = to_fs_path(uri) if uri.startswith("file:") else None
        return absolute(Path(name)) if name else absolute(Path("untitled.yaml"))

    def take(self, uri: str) -> None:
        """Take over the text of a document, and check it when nothing has changed for a moment."""
        path = self.path_of(uri)
        self.desk.put(path, self.workspace.get_text_document(uri).source)
        self.check_soon(path, uri)

    def check_soon(self, path: Path, uri: str) -> None:
        """Check a document after the moment of quiet; a check that still waits for it is given up."""
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[path] = asyncio.get_running_loop().create_task(self._check(path, uri))

    async def _check(self, path: Path, uri: str) -> None:
        await asyncio.sleep(DEBOUNCE_S)
        analysis = await asyncio.to_thread(self.desk.analysis, path)
        if self.desk.text(path) is None or (analysis is not None and analysis.text != self.desk.text(path)):
            return  # closed or changed meanwhile; another check is on its way
        found = answers.diagnostics(analysis, self.encoding) if analysis is not None else []
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=found))

    def close(self, uri: str) -> None:
        """Forget a document and what was found in it."""
        path = self.path_of(uri)
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.cancel()
        self.desk.drop(path)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    def check_all_again(self) -> None:
        """Check every open document: a file that others include or call was saved."""
        self.desk.forget_settings()
        for uri in list(self.workspace.text_documents):
            self.check_soon(self.path_of(uri), uri)


def _add_features(server: FlowServer) -> None:
    _add_documents(server)
    _add_help(server)
    _add_navigation(server)
    _add_renaming(server)
    _add_edits(server)


def _add_documents(server: FlowServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.take(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.take(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:  # noqa: ARG001 - the protocol's signature
        server.check_all_again()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(params: types.DidChangeWatchedFilesParams) -> None:  # noqa: ARG001 - as above
        server.check_all_again()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.close(params.text_document.uri)


def _add_help(server: FlowServer) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=[".", "|", " ", "[", "{", '"']),
    )
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        path = server.path_of(params.text_document.uri)
        ask = partial(answers.completion, server.desk, path, params.position, server.encoding)
        return types.CompletionList(is_incomplete=False, items=await asyncio.to_thread(ask))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        path = server.path_of(params.text_document.uri)
        return await asyncio.to_thread(answers.hover, server.desk, path, params.position, server.encoding)


def _add_navigation(server: FlowServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def define(params: types.DefinitionParams) -> list[types.Location]:
        path = server.path_of(params.text_document.uri)
        ask = partial(answers.definition, server.desk, path, params.position, server.encoding)
        return _located(await asyncio.to_thread(ask))

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def refer(params: types.ReferenceParams) -> list[types.Location]:
        path = server.path_of(params.text_document.uri)
        with_definition = params.context.include_declaration
        ask = partial(
            answers.references, server.desk, path, params.position, server.encoding, with_definition=with_definition
        )
        return _located(await asyncio.to_thread(ask))

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def outline(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        path = server.path_of(params.text_document.uri)
        return await asyncio.to_thread(answers.symbols, server.desk, path, server.encoding)


def _add_renaming(server: FlowServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepare(params: types.PrepareRenameParams) -> types.Range | None:
        path = server.path_of(params.text_document.uri)
        return await asyncio.to_thread(answers.renamable, server.desk, path, params.position, server.encoding)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def rename(params: types.RenameParams) -> types.WorkspaceEdit:
        path = server.path_of(params.text_document.uri)
        ask = partial(answers.rename, server.desk, path, params.position, server.encoding, new=params.new_name)
        try:
            edits = await asyncio.to_thread(ask)
        except CannotRename as error:
            raise JsonRpcInvalidParams(str(error)) from error
        return types.WorkspaceEdit(changes={params.text_document.uri: edits})


def _add_edits(server: FlowServer) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    async def act(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        ask = partial(answers.code_actions, server.desk, server.path_of(uri), params.range, server.encoding)
        return [
            types.CodeAction(
                title=title,
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[diagnostic],
                edit=types.WorkspaceEdit(changes={uri: edits}),
            )
            for title, diagnostic, edits in await asyncio.to_thread(ask)
        ]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def format_text(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        path = server.path_of(params.text_document.uri)
        return await asyncio.to_thread(answers.formatting, server.desk, path, server.encoding)


def _located(found: list[tuple[str, types.Range]]) -> list[types.Location]:
    return [types.Location(uri=from_fs_path(name) or name, range=range_) for name, range_ in found]


def serve(environ: Mapping[str, str]) -> None:
    """Serve one client on stdin and stdout until it says goodbye or goes away."""
    logging.basicConfig(level=logging.ERROR, format="flowctl lsp: %(message)s")
    FlowServer(environ).start_io()
