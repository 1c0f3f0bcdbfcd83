"""WeCom (企业微信) group robots: the key is in the address, 20 messages a minute, 2048 bytes of text.

Sources: developer.work.weixin.qq.com/document/path/91770 (limits), /90313 (codes). There is no signature: who
has the address can write.
"""

from __future__ import annotations

from dataclasses import dataclass
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

WINDOWS = (Window(20, 60.0),)
MOST_BYTES = 2048
_WHO = "WeCom"
_LATER = {-1: 5.0, 45009: 60.0, 45033: 10.0}  # busy; too many a minute; too many at once
_REFUSED = {
    93000: "the key in url_file is unknown or the robot was removed: copy its webhook address anew",
    40001: "the key in url_file is unknown: copy the robot's webhook address anew",
    45002: "the text is too long for WeCom; please report this",
    40008: "WeCom does not take this kind of message; please report this",
    40058: "WeCom does not take this text; please report this",
    48002: "the robot may not be used: ask the administrator of WeCom",
    60020: "this machine's public address is not allowed: add it at WeCom",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WeComConfig(HttpConfig):
    """A [[channel]] of type wecom. `at_mobiles` are called by name from level `at_level` on."""

    at_mobiles: tuple[str, ...] = ()
    at_level: Literal["blue", "yellow", "orange", "red"] = "orange"


class WeCom:
    """One robot of one group."""

    def __init__(self, config: WeComConfig) -> None:
        self._url = checked_url(read_secret(config.url_file) or "", config.name, allow_http=config.allow_http)
        self._at, self._at_level = config.at_mobiles, Level.of(config.at_level)

    def request(self, message: Message, now_ms: int) -> Request:
        """Return the request; the text is cut between lines."""
        text: dict[str, Any] = {"content": message.within(MOST_BYTES)}
        if self._at and message.level and message.level >= self._at_level and not message.quiet:
            text["mentioned_mobile_list"] = [*self._at]
        body = json_body({"msgtype": "text", "text": text})
        return Request(self._url, body, {"Content-Type": "application/json"})

    def judge(self, answer: Answer, now_ms: int) -> None:
        """Return if `errcode` is 0, or raise what the answer means."""
        judge_status(answer, now_ms, _WHO, {})
        body = json_answer(answer, _WHO)
        code = code_of(body, "errcode")
        if code == 0:
            return
        # `errmsg` goes on with a hint and our public address; what stands before the comma says it all
        said = f"{_WHO} answers {code}: {line(str(body.get('errmsg', '')).split(',')[0])}"
        if code is None or code in _LATER:
            after_s = _LATER.get(code) if code is not None else None
            raise ChannelError(said, remedy="it is tried again, slower", retry=True, after_s=after_s)
        remedy = _REFUSED.get(code, "look the code up at open.work.weixin.qq.com/devtool/query")
        raise ChannelError(said, remedy=remedy)
