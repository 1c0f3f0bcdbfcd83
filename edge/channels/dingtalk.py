"""DingTalk (钉钉) group robots: signed in the address, 20 messages a minute, errors within HTTP 200.

Sources: open.dingtalk.com, "custom robot" pages (signature: ms and secret, within one hour; 20 a minute, else
shut out for ten minutes; 20,000 bytes). Codes: those pages and what senders on GitHub report; 660026 could not
be verified.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

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

WINDOWS = (Window(20, 60.0),)
MOST_BYTES = 9_000  # of 20,000 for the whole message, should JSON escape every character
SHUT_S = 600.0
_WHO = "DingTalk"
_BUSY, _TOO_FAST = {-1}, {130101, 410100, 660026}
_REFUSED = {
    300001: "the access_token in url_file is unknown: copy the robot's webhook address anew",
    300005: "the access_token in url_file is unknown: copy the robot's webhook address anew",
    400101: "the access_token in url_file is unknown: copy the robot's webhook address anew",
    400013: "the group was dissolved: make a robot in another group",
    400102: "the robot was stopped: let the group's owner start it again",
    400106: "the robot is not in the group any more: add it anew and copy its address",
    90030: "the robot's quota for the day is used up: lower what this channel is told, or buy more",
}
_SECURITY = (  # 310000 stands for four mistakes, told apart by its words, which come in two languages
    (("invalid timestamp", "过期"), "this machine's clock is wrong by more than an hour: set it (NTP)"),
    (
        ("sign", "签名"),
        "secret_file does not hold this robot's secret (SEC..., 加签), or the robot has none set",
    ),
    (("keyword", "关键词"), "the robot asks for a keyword: choose 加签 instead of 自定义关键词, or add 预警"),
    (
        ("whitelist", "白名单"),
        "this machine's public address is not in the robot's list: add it, or choose 加签",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DingTalkConfig(HttpConfig):
    """A [[channel]] of type dingtalk. `at_mobiles` are called by name from level `at_level` on."""

    secret_file: Path | None = None
    at_mobiles: tuple[str, ...] = ()
    at_level: Literal["blue", "yellow", "orange", "red"] = "orange"


class DingTalk:
    """One robot of one group."""

    def __init__(self, config: DingTalkConfig) -> None:
        self._url = checked_url(read_secret(config.url_file) or "", config.name, allow_http=config.allow_http)
        self._secret = read_secret(config.secret_file)
        self._at, self._at_level = config.at_mobiles, Level.of(config.at_level)

    def request(self, message: Message, now_ms: int) -> Request:
        """Return the signed request."""
        called = [*self._at] if message.level and message.level >= self._at_level and not message.quiet else []
        tail = "\n" + " ".join(f"@{mobile}" for mobile in called) if called else ""
        body: dict[str, Any] = {"msgtype": "text", "text": {"content": message.within(MOST_BYTES) + tail}}
        if called:
            body["at"] = {"atMobiles": called}
        return Request(self._signed(now_ms), json_body(body), {"Content-Type": "application/json"})

    def judge(self, answer: Answer, now_ms: int) -> None:
        """Return if `errcode` is 0, or raise what the answer means."""
        judge_status(answer, now_ms, _WHO, {})
        body = json_answer(answer, _WHO)
        code = code_of(body, "errcode")
        if code == 0:
            return
        said = f"{_WHO} answers {code}: {line(body.get('errmsg', ''))}"
        if code is None and body.get("punish"):  # what stands before the service turns us away
            wait_s = float(min(max(code_of(body, "wait") or 60, 1), 3600))
            raise ChannelError(
                f"{_WHO} turns us away for {wait_s:g} s", remedy="send less", retry=True, after_s=wait_s
            )
        if code in _TOO_FAST:
            raise ChannelError(
                said, remedy="more than 20 in a minute: ten minutes' rest", retry=True, after_s=SHUT_S
            )
        if code in _BUSY or code is None:
            raise ChannelError(said, remedy="DingTalk is busy; it is tried again", retry=True)
        if code == 310000:
            text = str(body.get("errmsg", "")).lower()
            hints = (advice for words, advice in _SECURITY if any(word in text for word in words))
            remedy = next(hints, "check the robot's 安全设置")
            raise ChannelError(said, remedy=remedy)
        raise ChannelError(said, remedy=_REFUSED.get(code, "look the code up at open.dingtalk.com"))

    def _signed(self, now_ms: int) -> str:
        if not self._secret:
            return self._url
        digest = hmac.new(self._secret.encode(), f"{now_ms}\n{self._secret}".encode(), hashlib.sha256).digest()
        parts = urlsplit(self._url)
        query = [
            *parse_qsl(parts.query),
            ("timestamp", str(now_ms)),
            ("sign", base64.b64encode(digest).decode()),
        ]
        return urlunsplit(parts._replace(query=urlencode(query)))
