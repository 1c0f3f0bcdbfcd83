"""The webhook, against a receiver that verifies with the Standard Webhooks library and drops copies."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from channels_peers.services import Clock, WebhookService, serving

from edge.channels import Channel, ChannelError, Message, make_channel
from edge.channels.exchange import Answer, retry_after_s
from edge.channels.http import HttpChannel
from edge.channels.webhook import Webhook
from edge.model.errors import ConfigError

SHARED = "whsec_" + base64.b64encode(b"a secret of 24 and more bytes").decode()
Secret = Callable[[str, str], str]


@asynccontextmanager
async def receiver(
    secret: Secret, late_s: float = 0.0, **table: Any
) -> AsyncIterator[tuple[Channel, WebhookService]]:
    clock = Clock(time.time())
    async with serving(WebhookService(clock, SHARED)) as service:
        assert isinstance(service, WebhookService)
        row = {
            "name": "platform", "type": "webhook", "url_file": secret("url", service.url),
            "secret_file": secret("sign", SHARED), "retry_delay_s": 0.0, **table,
        }  # fmt: skip
        made = make_channel(row, "here")
        now_ms = lambda: int((time.time() - late_s) * 1000)  # noqa: E731
        channel = HttpChannel(made.config, Webhook(made.config), (), now_ms)  # type: ignore[arg-type]
        try:
            yield channel, service
        finally:
            await channel.close()


async def test_a_receiver_with_the_standard_library_accepts_it(secret: Secret, message: Message) -> None:
    async with receiver(secret) as (channel, service):
        await channel.send(message)
        (body,) = service.seen.values()
        assert body["type"] == "alert.opened" and body["level"] == "orange" and body["title"] == message.title
        assert body["facts"]["episode"]["node"] == "ys-07"


async def test_a_plain_secret_works_too(secret: Secret, message: Message) -> None:
    plain = "no prefix, just a long text"
    async with receiver(secret, secret_file=secret("plain", plain)) as (channel, service):
        service._verifier = type(service._verifier)(base64.b64encode(plain.encode()).decode())
        await channel.send(message)
        assert len(service.seen) == 1


async def test_every_attempt_has_the_same_key_so_that_copies_are_dropped(
    secret: Secret, message: Message
) -> None:
    async with receiver(secret) as (channel, service):
        service.answers.append(web.Response(status=503))
        service.answers.append(web.Response(status=502))
        await channel.send(message)
        await channel.send(message)
        keys = {request.headers["webhook-id"] for request, _ in service.requests}
        assert keys == {message.key} and len(service.requests) == 4
        assert len(service.seen) == 1 and service.copies == 1


async def test_after_its_attempts_it_gives_up_and_says_that_later_may_do(
    secret: Secret, message: Message
) -> None:
    async with receiver(secret, attempts=2) as (channel, service):
        service.answers.extend(web.Response(status=500) for _ in range(2))
        with pytest.raises(ChannelError, match="500") as caught:
            await channel.send(message)
        assert caught.value.retry and len(service.requests) == 2


async def test_a_receiver_that_asks_for_more_time_than_we_wait_is_heard(
    secret: Secret, message: Message
) -> None:
    async with receiver(secret) as (channel, service):
        service.answers.append(web.Response(status=429, headers={"Retry-After": "120"}))
        with pytest.raises(ChannelError) as caught:
            await channel.send(message)
        assert caught.value.retry and caught.value.after_s == 120.0
        assert len(service.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
async def test_a_refusal_is_not_repeated(status: int, secret: Secret, message: Message) -> None:
    async with receiver(secret) as (channel, service):
        service.answers.append(web.Response(status=status))
        with pytest.raises(ChannelError, match=str(status)) as caught:
            await channel.send(message)
        assert not caught.value.retry and caught.value.remedy and len(service.requests) == 1


async def test_a_wrong_secret_is_told_as_such(secret: Secret, message: Message) -> None:
    async with receiver(secret, secret_file=secret("other", "whsec_c29tZXRoaW5nIGVsc2U=")) as (
        channel,
        service,
    ):
        with pytest.raises(ChannelError) as caught:
            await channel.send(message)
        assert not caught.value.retry and "secret" in caught.value.remedy and not service.seen


async def test_a_stale_time_is_refused_by_the_receiver(secret: Secret, message: Message) -> None:
    async with receiver(secret, late_s=600.0) as (channel, service):
        with pytest.raises(ChannelError, match="too old") as caught:
            await channel.send(message)
        assert "clock" in caught.value.remedy and not service.seen


async def test_a_key_that_no_header_carries_is_sent_as_its_digest(secret: Secret, message: Message) -> None:
    async with receiver(secret) as (channel, service):
        await channel.send(replace(message, key="水位.1\r\nX: y"))
        ((ident, body),) = service.seen.items()
        assert len(ident) == 64 and body["id"] == "水位.1\r\nX: y"


def test_a_secret_that_is_no_base64_is_refused_at_the_start(secret: Secret) -> None:
    row = {
        "name": "p",
        "type": "webhook",
        "url_file": secret("u", "https://h/x"),
        "secret_file": secret("s", "whsec_%%"),
    }
    with pytest.raises(ConfigError, match="base64"):
        make_channel(row, "here")


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    now_ms = 1_780_918_920_000
    assert retry_after_s(Answer(429, headers={"retry-after": "7"}), now_ms) == 7.0
    later = formatdate(now_ms / 1000 + 90, usegmt=True)
    assert retry_after_s(Answer(503, headers={"retry-after": later}), now_ms) == 90.0
    assert retry_after_s(Answer(503, headers={"retry-after": "9" * 50}), now_ms) == 3600.0
    for useless in ({}, {"retry-after": "soon"}, {"retry-after": "-5"}):
        assert retry_after_s(Answer(503, headers=useless), now_ms) is None
