"""`http.request`: one HTTP request, its answer as data."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from engine.connectors.protocol import CallContext, ConnectorError, bad_argument
from engine.connectors.signatures import HTTP
from engine.outcomes import Json
from engine.values import parse_json
from specs.context import ActionSpec
from specs.quantities import parse_duration

if TYPE_CHECKING:
    import httpx

LARGEST_BODY_BYTES = 10_000_000
MOST_REDIRECTS = 5
DEFAULT_TIMEOUT_S = 30.0

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EXPECTED = re.compile(r"[1-5](xx|[0-9][0-9])")


class Request(Struct, frozen=True):
    """A request whose every part has been checked."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    expect: tuple[str, ...]
    timeout_s: float
    verify: bool

    @property
    def shown(self) -> str:
        """Method and address without what may be confidential: user, password, query."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


class HttpConnector:
    """Makes requests over kept connections. Proxies of the environment are ignored, cookies are not kept.

    Addresses of this machine and its network are allowed: a flow runs with the rights of whoever started it, and could
    reach them from a script as well.
    """

    actions: ClassVar[Mapping[str, ActionSpec]] = HTTP

    def __init__(self, config: Mapping[str, Json]) -> None:
        if config:
            raise bad_argument("`http` takes no configuration")
        self._transports: dict[bool, httpx.AsyncHTTPTransport] = {}

    async def call(self, action: str, arguments: Mapping[str, Json], context: CallContext) -> Json:
        """Make the request; anything but an expected status is a `ConnectorError`."""
        if action != "request":
            raise bad_argument(f"`http` has no action `{action}`")
        request = read_request(arguments)
        answer, body = await self._send(request)
        context.log(f"{request.shown} answered {answer.status_code}, {len(body)} bytes")
        if not _is_expected(answer.status_code, request.expect):
            raise _refused(request, answer)
        return _output(answer, body)

    async def _send(self, request: Request) -> tuple[httpx.Response, bytes]:
        import httpx

        # A client holds the cookies, a transport the connections: nothing of one call is seen by the next.
        client = httpx.AsyncClient(
            transport=self._transport(request.verify),
            follow_redirects=True,
            max_redirects=MOST_REDIRECTS,
            trust_env=False,
            timeout=request.timeout_s,
        )
        try:
            async with asyncio.timeout(request.timeout_s):
                built = client.build_request(
                    request.method, request.url, headers=list(request.headers), content=request.body
                )
                answer = await client.send(built, stream=True)
                try:
                    return answer, await _read_body(answer)
                finally:
                    await answer.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise ConnectorError("timeout", f"{request.shown} took longer than {request.timeout_s:g} s") from None
        except httpx.TooManyRedirects:
            text = f"{request.shown} was redirected more than {MOST_REDIRECTS} times"
            raise ConnectorError("error", text, name="TooManyRedirects") from None
        except httpx.UnsupportedProtocol:
            text = f"{request.shown} was redirected to an address that is neither http nor https"
            raise ConnectorError("error", text, name="BadRedirect") from None
        except httpx.DecodingError as error:
            raise ConnectorError("error", f"{request.shown}: {error}", name="DecodingError") from None
        except (httpx.TransportError, OSError) as error:
            raise ConnectorError("connect", f"{request.shown}: {error or type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ConnectorError("error", f"{request.shown}: {error}", name=type(error).__name__) from None

    def _transport(self, verify: bool) -> httpx.AsyncHTTPTransport:
        import httpx

        if verify not in self._transports:
            self._transports[verify] = httpx.AsyncHTTPTransport(
                verify=verify, trust_env=False, limits=httpx.Limits(max_connections=None)
            )
        return self._transports[verify]


def read_request(arguments: Mapping[str, Json]) -> Request:
    """The request that `with` describes. Raises `ConnectorError`."""
    unknown = sorted(set(arguments) - set(HTTP["request"].fields))
    if unknown:
        raise bad_argument(f"`http.request` has no field `{unknown[0]}`")
    body, content_type = _body(arguments)
    headers = _headers(arguments.get("headers"))
    if content_type is not None and all(name.lower() != "content-type" for name, _ in headers):
        headers = (*headers, ("content-type", content_type))
    method = arguments.get("method", "GET")
    if not isinstance(method, str) or not re.fullmatch(r"[A-Za-z]{1,20}", method):
        raise bad_argument("`method` is not a method such as `GET`")
    verify = arguments.get("verify", True)
    if not isinstance(verify, bool):
        raise bad_argument("`verify` must be `true` or `false`")
    return Request(
        method.upper(),
        _url(arguments.get("url"), arguments.get("query")),
        headers,
        body,
        _expect(arguments.get("expect")),
        _timeout(arguments.get("timeout")),
        verify,
    )


def parse_retry_after(text: str, answered_at: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header, given in seconds or as a date; `None` when it is neither."""
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (until - answered_at).total_seconds())


def _url(url: Json, query: Json) -> str:
    if not isinstance(url, str) or not url.strip():
        raise bad_argument("`url` must be text")
    if re.search(r"[\x00-\x20\x7f]", url):
        raise bad_argument("`url` holds a space or a control character")
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise bad_argument("`url` must start with `http://` or `https://` and name a host")
    pairs = _query(query)
    joined = "&".join(part for part in (parts.query, pairs) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, ""))


def _query(query: Json) -> str:
    if query is None:
        return ""
    if not isinstance(query, dict):
        raise bad_argument("`query` must be a map")
    pairs = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, list | dict):
                raise bad_argument(f"`{name}` in `query` must be text, a number or a list of them")
            if one is not None:
                pairs.append((name, _written(one)))
    try:
        return urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise bad_argument("`query` holds half of a character (a lone surrogate)") from None


def _headers(headers: Json) -> tuple[tuple[str, str], ...]:
    if headers is None:
        return ()
    if not isinstance(headers, dict):
        raise bad_argument("`headers` must be a map")
    pairs = []
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise bad_argument(f"`{name}` is not a header's name")
        if value is None or isinstance(value, list | dict):
            raise bad_argument(f"the header `{name}` must be text")
        text = _written(value)
        if re.search(r"[\r\n\0]", text):
            raise bad_argument(f"the header `{name}` holds a line break or a zero byte")
        if not text.isascii():
            raise bad_argument(f"the header `{name}` holds characters that are not ASCII")
        pairs.append((name, text))
    return tuple(pairs)


def _body(arguments: Mapping[str, Json]) -> tuple[bytes | None, str | None]:
    if "json" in arguments and arguments.get("body") is not None:
        raise bad_argument("`json` and `body` exclude each other")
    if "json" in arguments:
        return json.dumps(arguments["json"], allow_nan=False).encode(), "application/json"
    body = arguments.get("body")
    if body is None:
        return None, None
    if not isinstance(body, str):
        raise bad_argument("`body` must be text; give data as `json`")
    try:
        return body.encode(), None
    except UnicodeEncodeError:
        raise bad_argument("`body` holds half of a character (a lone surrogate)") from None


def _expect(expect: Json) -> tuple[str, ...]:
    if expect is None:
        return ("2xx",)
    wanted = tuple(str(one) for one in (expect if isinstance(expect, list) else [expect]))
    for one in wanted:
        if not _EXPECTED.fullmatch(one):
            raise bad_argument(f"`{one}` in `expect` is no status such as `200` or `2xx`")
    return wanted


def _timeout(timeout: Json) -> float:
    if timeout is None:
        return DEFAULT_TIMEOUT_S
    value = parse_duration(timeout) if isinstance(timeout, str) else None
    if value is None or value.total_seconds() <= 0:
        raise bad_argument("`timeout` is no duration such as `30s`")
    return value.total_seconds()


def _written(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


async def _read_body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes(1 << 16):
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            text = f"the answer is longer than {LARGEST_BODY_BYTES} bytes"
            raise ConnectorError("error", text, name="BodyTooLarge")
    return bytes(body)


def _is_expected(status: int, expect: tuple[str, ...]) -> bool:
    return any(one == str(status) or (one.endswith("xx") and one[0] == str(status)[0]) for one in expect)


def _refused(request: Request, answer: httpx.Response) -> ConnectorError:
    wait = answer.headers.get("retry-after")
    return ConnectorError(
        "http",
        f"{request.shown} answered {answer.status_code} {answer.reason_phrase}".rstrip(),
        http_status=answer.status_code,
        retry_after_s=parse_retry_after(wait, _answered_at(answer)) if wait is not None else None,
    )


def _answered_at(answer: httpx.Response) -> datetime:
    """The server's own clock, which its `Retry-After` goes by; ours when it does not tell."""
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, TypeError):
        return datetime.now(UTC)
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _output(answer: httpx.Response, body: bytes) -> Json:
    text = _decode(body, answer.charset_encoding)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    value: Json = None
    if body and (kind == "application/json" or kind.endswith("+json")):
        try:
            value = parse_json(text)
        except ValueError as error:
            raise ConnectorError("error", f"the answer says it is JSON, but is {error}", name="BadAnswer") from None
    headers: dict[str, Json] = {name.lower(): text for name, text in answer.headers.items()}
    return {"status": answer.status_code, "headers": headers, "json": value, "text": text}


def _decode(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
