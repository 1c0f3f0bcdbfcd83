"""What goes to a service over HTTP and what comes back, as values: encoders and verdicts need no socket."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from edge.channels.channel import ChannelError
from edge.channels.message import Message
from edge.model.errors import ConfigError

_LATER = {408, 425, 429, 500, 502, 503, 504}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_WORDS = 200
_LONGEST_WAIT_S = 3600.0  # whoever asks for more is asked again after an hour
_SECRET_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Request:
    """A POST; the address is kept out of every repr, since it is or holds a secret."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said; header names in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Codec(Protocol):
    """A service: how a message is put to it, and what its answers mean."""

    def request(self, message: Message, now_ms: int) -> Request:
        """Called before each attempt: signatures hold the time."""

    def judge(self, answer: Answer, now_ms: int) -> None:
        """Called with each answer: returns if the message is delivered, or raises ChannelError."""


def checked_url(url: str, where: str, *, allow_http: bool) -> str:
    """Return a webhook address that may be used, or raise ConfigError without repeating it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError(
            f"{where}: url_file holds no https address",
            remedy="copy the whole webhook address into it, one line beginning with https://",
        )
    if parts.scheme == "http" and host not in _LOOPBACK and not allow_http:
        raise ConfigError(
            f"{where}: the address in url_file is http://, so anybody on the way reads and repeats it",
            remedy="use https://, or set allow_http = true within a network of your own",
        )
    return url


def json_body(body: Mapping[str, Any]) -> bytes:
    """Return JSON as services take it: UTF-8, compact."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def retry_after_s(answer: Answer, now_ms: int) -> float | None:
    """Read Retry-After (RFC 9110 section 10.2.3: seconds or a date), None when absent or unreadable."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text[:10]), _LONGEST_WAIT_S)
    try:
        after_s = parsedate_to_datetime(text).timestamp() - now_ms / 1000
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, after_s), _LONGEST_WAIT_S)


def judge_status(answer: Answer, now_ms: int, who: str, remedies: Mapping[int, str]) -> None:
    """Return if the status is 2xx, or raise what it means."""
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        raise ChannelError(
            f"{who} answers {answer.status}: moved", remedy="write the final address into url_file"
        )
    remedy = remedies.get(answer.status, "the service's own log or status page says more")
    raise ChannelError(
        f"{who} answers {answer.status}: {words(answer)}",
        remedy=remedy,
        retry=answer.status in _LATER,
        after_s=retry_after_s(answer, now_ms),
    )


def words(answer: Answer) -> str:
    """Return the beginning of an answer as one line for a person."""
    return line(answer.body[: 4 * _WORDS].decode(errors="replace")) or "no words"


def line(text: object) -> str:
    """Return what a service says as one short line without control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", str(text)).split())[:_WORDS]


def scrubbed(error: ChannelError, request: Request) -> ChannelError:
    """Return the error without what is secret in the address: error pages of proxies repeat it."""
    parts = urlsplit(request.url)
    keys = {piece for piece in parts.path.split("/") if re.search(r"\d|.{16}", piece)}  # no plain words
    pieces = {*keys, *(value for _, value in parse_qsl(parts.query)), parts.path, parts.query, request.url}
    text = error.message
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= _SECRET_CHARACTERS:
            text = text.replace(piece, "…").replace(quote(piece, safe=""), "…")
    return ChannelError(text, remedy=error.remedy, retry=error.retry, after_s=error.after_s)


def json_answer(answer: Answer, who: str) -> dict[str, Any]:
    """Return the JSON object of an answer, or raise: what is none comes from a proxy or a portal in between."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ChannelError(
            f"{who}: the answer is not the service's own: {words(answer)}",
            remedy="check the address, and what proxy or sign-in page stands between",
            retry=True,
        )
    return body


def code_of(body: Mapping[str, Any], *names: str) -> int | None:
    """Return the error code of an answer: the first of these keys that holds a whole number."""
    for name in names:
        value = body.get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if re.fullmatch(r"-?[0-9]{1,12}", text):
            return int(text)
    return None
