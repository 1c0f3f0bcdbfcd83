"""Feishu and Lark (飞书) group robots: signed in the body, 5 messages a second and 100 a minute, 20 KB.

Source: open.feishu.cn, "custom bot" (signature over seconds, within one hour; limits; 19001, 19021, 19022,
19024, 9499). 11232 is what senders on GitHub report for too many messages; 99991400 is the platform's own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edge.channels.channel import ChannelError, HttpConfig
from edge.channels.exchange import (
    Answer,
    Request,
    checked_url,
    code_of,
    json_answer,
    json_body,
    judge_status,
    line,
)
from edge.channels.limiter import Window
from edge.channels.message import Message
from edge.config import read_secret
from edge.model.alert import Level

WINDOWS = (Window(5, 1.0), Window(100, 60.0))
MOST_BYTES = 9_000  # of 20 KB for the whole request, should JSON escape every character
_WHO = "Feishu"
_TOO_FAST = {11232: 60.0, 99991400: 60.0}
_FAST_WORDS = ("frequency limited", "too many request", "rate limit")
_REFUSED = {
    19001: "the token in url_file is unknown: copy the robot's webhook address anew",
    19002: "Feishu does not take this message; please report this",
    19021: "secret_file does not hold this robot's secret (签名校验), or this machine's clock is wrong (NTP)",
    19022: "this machine's public address is not in the robot's list (IP 白名单): add it",
    19024: "the robot asks for a keyword: choose 签名校验 instead of 自定义关键词, or add the keyword 预警",
    9499: "Feishu does not take this request: check that the address has /open-apis/bot/v2/hook/",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FeishuConfig(HttpConfig):
    """A [[channel]] of type feishu. With `at_all` everybody is called from level `at_level` on."""

    secret_file: Path | None = None
    at_all: bool = False
    at_level: Literal["blue", "yellow", "orange", "red"] = "orange"


class Feishu:
    """One robot of one group."""

    def __init__(self, config: FeishuConfig) -> None:
        self._url = checked_url(read_secret(config.url_file) or "", config.name, allow_http=config.allow_http)
        self._secret = read_secret(config.secret_file)
        self._at_all, self._at_level = config.at_all, Level.of(config.at_level)

    def request(self, message: Message, now_ms: int) -> Request:
        """Return the signed request. What looks like a call of somebody in the text is made harmless."""
        lines = tuple(each.replace("<at", "‹at") for each in message.lines)
        text = replace(message, title=message.title.replace("<at", "‹at"), lines=lines).within(MOST_BYTES)
        if self._at_all and message.level and message.level >= self._at_level and not message.quiet:
            text += '\n<at user_id="all">所有人</at>'
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self._secret:
            seconds = now_ms // 1000
            key = f"{seconds}\n{self._secret}".encode()
            body["timestamp"] = str(seconds)
            body["sign"] = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        return Request(self._url, json_body(body), {"Content-Type": "application/json; charset=utf-8"})

    def judge(self, answer: Answer, now_ms: int) -> None:
        """Return if `code` is 0, or raise what the answer means; Feishu puts codes into 200 and into 400."""
        if answer.status not in (200, 400):
            judge_status(answer, now_ms, _WHO, {})
        body = json_answer(answer, _WHO)
        code = code_of(body, "code", "StatusCode")
        if code == 0 and answer.status == 200:
            return
        words = line(body.get("msg") or body.get("StatusMessage") or "")
        said = f"{_WHO} answers {code}: {words}"
        if code in _TOO_FAST or any(word in words.lower() for word in _FAST_WORDS):
            after_s = _TOO_FAST.get(code or 0, 60.0)
            raise ChannelError(said, remedy="it is tried again, slower", retry=True, after_s=after_s)
        if code is None:
            raise ChannelError(said, remedy="it is tried again", retry=True)
        raise ChannelError(said, remedy=_REFUSED.get(code, "look the code up at open.feishu.cn"))
