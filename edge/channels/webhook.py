"""A webhook to a program: JSON, signed as Standard Webhooks (github.com/standard-webhooks) prescribe.

`webhook-id` is the idempotency key: the same on every attempt. The signature covers id, time and body, so a
receiver drops what was changed, what is old and what it has already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from edge.channels.channel import HttpConfig
from edge.channels.exchange import Answer, Request, checked_url, json_body, judge_status
from edge.channels.message import Message
from edge.config import read_secret
from edge.model.errors import ConfigError

_WHO = "the webhook"
_REMEDIES = {
    400: "the receiver does not take our JSON; its log says why",
    401: "the receiver refuses the signature: both sides need the same secret, and clocks that agree",
    403: "the receiver refuses the signature: both sides need the same secret, and clocks that agree",
    404: "the address in url_file is wrong",
    410: "the receiver wants no more: remove this channel",
    413: "the receiver takes no message of this size",
    429: "the receiver asks for fewer; it is tried again",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookConfig(HttpConfig):
    """A [[channel]] of type webhook; `secret_file` holds `whsec_` and base64, or any text."""

    secret_file: Path
    attempts: int = 3


class Webhook:
    """One receiver."""

    def __init__(self, config: WebhookConfig) -> None:
        self._url = checked_url(read_secret(config.url_file) or "", config.name, allow_http=config.allow_http)
        self._key = _key(read_secret(config.secret_file) or "", config.name)

    def request(self, message: Message, now_ms: int) -> Request:
        """Return the signed request."""
        body = json_body(
            {
                "type": f"alert.{message.occasion}",
                "id": message.key,
                "time_ms": message.time_ms,
                "level": message.level.word if message.level else None,
                "title": message.title,
                "lines": message.lines,
                "url": message.url,
                "language": message.language,
                "facts": message.facts,
            }
        )
        ident, seconds = ascii_key(message.key), str(now_ms // 1000)
        signed = hmac.new(self._key, f"{ident}.{seconds}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": ident,
            "webhook-id": ident,
            "webhook-timestamp": seconds,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        return Request(self._url, body, headers)

    def judge(self, answer: Answer, now_ms: int) -> None:
        """Return if the status is 2xx, or raise what it means."""
        judge_status(answer, now_ms, _WHO, _REMEDIES)


def ascii_key(key: str) -> str:
    """Return an idempotency key as a header may carry it, without the point that parts the signed text."""
    if key.isascii() and key.isprintable() and "." not in key and " " not in key and len(key) <= 200:
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def _key(secret: str, name: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ConfigError(
            f"{name}: secret_file begins with whsec_ but goes on with no base64",
            remedy="copy the receiver's secret anew",
        ) from None
