"""Servers that behave as DingTalk, WeCom, Feishu and a careful webhook receiver: limits, signatures, codes.

What each does is from its documents and from what senders report; `now_s` is a clock that tests set forward.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import WebhookVerificationError

HOUR_S = 3600.0


class Clock:
    """A clock that stands until it is set forward."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return int(self.now_s * 1000)


class Service:
    """What the fakes share: an address, what was delivered, a hand-made answer, and silence when told so."""

    path = "/"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.texts: list[str] = []
        self.requests: list[tuple[web.Request, dict[str, Any]]] = []
        self.answers: deque[web.Response] = deque()
        """Given instead of the service's own, in turn."""
        self.hangs = False
        self.released = asyncio.Event()
        self.base = ""

    @property
    def url(self) -> str:
        """Its webhook address, as the service shows it to whoever makes a robot."""
        return self.base + self.path

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        if self.hangs:
            await self.released.wait()
        self.requests.append((request, json.loads(body)))
        if self.answers:
            return self.answers.popleft()
        return self.answer(request, body)

    def answer(self, request: web.Request, body: str) -> web.Response:
        raise NotImplementedError


def coded(code: int, words: str, **more: Any) -> web.Response:
    """DingTalk's and WeCom's answer: always HTTP 200."""
    return web.json_response({"errcode": code, "errmsg": words, **more})


class Overrun:
    """Counts messages within windows; from the first too many on, the door is shut for `shut_s`."""

    def __init__(self, clock: Clock, windows: tuple[tuple[int, float], ...], shut_s: float) -> None:
        self.clock, self.windows, self.shut_s = clock, windows, shut_s
        self.came_s: list[float] = []
        self.shut_until_s = 0.0

    def one_more(self) -> bool:
        """Whether this message is taken."""
        now_s = self.clock.now_s
        if now_s < self.shut_until_s:
            return False
        for most, seconds in self.windows:
            if sum(now_s - came_s < seconds for came_s in self.came_s) >= most:
                self.shut_until_s = now_s + self.shut_s
                return False
        self.came_s.append(now_s)
        return True


class DingTalkService(Service):
    """Signature over milliseconds in the query, within an hour; 20 a minute, else ten minutes of 130101."""

    path = "/robot/send?access_token=d1ng70k3n"

    def __init__(self, clock: Clock, secret: str = "SECdingsecret") -> None:
        super().__init__(clock)
        self.secret = secret
        self.overrun = Overrun(clock, ((20, 60.0),), 600.0)

    def answer(self, request: web.Request, body: str) -> web.Response:
        query = request.query
        if query.get("access_token") != "d1ng70k3n":
            return coded(300005, "token is not exist")
        stamp = query.get("timestamp", "0")
        if abs(self.clock.now_s - int(stamp) / 1000) > HOUR_S:
            return coded(310000, "invalid timestamp")
        digest = hmac.new(self.secret.encode(), f"{stamp}\n{self.secret}".encode(), hashlib.sha256).digest()
        if query.get("sign") != base64.b64encode(digest).decode():
            return coded(310000, "sign not match")
        if not self.overrun.one_more():
            return coded(130101, "send too fast, exceed 20 times per minute")
        message = json.loads(body)
        if message.get("msgtype") != "text" or len(body.encode()) > 20_000:
            return coded(400105, "unsupported message")
        self.texts.append(message["text"]["content"])
        return coded(0, "ok")


class WeComService(Service):
    """The key is in the query; 20 a minute, else 45009 until the minute has passed; 2048 bytes of text."""

    path = "/cgi-bin/webhook/send?key=w3c0mk3y"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.overrun = Overrun(clock, ((20, 60.0),), 0.0)

    def answer(self, request: web.Request, body: str) -> web.Response:
        if request.query.get("key") != "w3c0mk3y":
            hint = "hint: [1708397705432012366598976], from ip: 192.0.2.126, more info at https://open.work..."
            return coded(93000, f"invalid webhook url, {hint}")
        if not self.overrun.one_more():
            return coded(45009, "api freq out of limit, hint: [17]")
        message = json.loads(body)
        if message.get("msgtype") != "text":
            return coded(40008, "invalid message type")
        if len(message["text"]["content"].encode()) > 2048:
            return coded(45002, "content size out of limit")
        self.texts.append(message["text"]["content"])
        return coded(0, "ok")


class FeishuService(Service):
    """Signature over seconds in the body, within an hour; 5 a second and 100 a minute, else 11232."""

    path = "/open-apis/bot/v2/hook/f31shu-70k3n"

    def __init__(self, clock: Clock, secret: str = "feishusecret") -> None:
        super().__init__(clock)
        self.secret = secret
        self.overrun = Overrun(clock, ((5, 1.0), (100, 60.0)), 0.0)

    def answer(self, request: web.Request, body: str) -> web.Response:
        if request.path != self.path:
            return self.coded(19001, "param invalid: incoming webhook access token invalid")
        message = json.loads(body)
        stamp = str(message.get("timestamp", "0"))
        key = f"{stamp}\n{self.secret}".encode()
        signed = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
        if message.get("sign") != signed or abs(self.clock.now_s - int(stamp)) > HOUR_S:
            return self.coded(19021, "sign match fail or timestamp is not within one hour from current time")
        if not self.overrun.one_more():
            return self.coded(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
        if message.get("msg_type") != "text" or len(body.encode()) > 20_480:
            return web.json_response({"code": 9499, "msg": "Bad Request", "data": {}}, status=400)
        self.texts.append(message["content"]["text"])
        return web.json_response(
            {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}
        )

    @staticmethod
    def coded(code: int, words: str) -> web.Response:
        return web.json_response({"code": code, "data": {}, "msg": words})


class WebhookService(Service):
    """A receiver that checks with the Standard Webhooks library and drops what it has already."""

    path = "/hooks/alerts"

    def __init__(self, clock: Clock, secret: str) -> None:
        super().__init__(clock)
        self._verifier = StandardWebhook(secret)
        self.seen: dict[str, dict[str, Any]] = {}
        self.copies = 0

    def answer(self, request: web.Request, body: str) -> web.Response:
        try:
            self._verifier.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            return web.Response(status=401, text=str(error))
        ident = request.headers["Idempotency-Key"]
        self.copies += ident in self.seen
        self.seen[ident] = json.loads(body)
        return web.Response(status=202)


@asynccontextmanager
async def serving(service: Service, context: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    """Run a fake on a free port of loopback."""
    app = web.Application()
    app.router.add_post("/{rest:.*}", service.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert runner.addresses
    scheme = "https" if context else "http"
    service.base = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        service.released.set()
        await runner.cleanup()


Make = Callable[[Clock], Service]
