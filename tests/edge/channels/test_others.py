"""Apprise for the rest: a message arrives, a failure is told, and its secrets are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from channels_peers.services import Clock, Service, serving

from edge.channels import ChannelError, Message, Occasion, make_channel
from edge.model.errors import ConfigError

Secret = Callable[[str, str], str]


class Ntfy(Service):
    """As an ntfy server: one topic, a user and a password."""

    def answer(self, request: web.Request, body: str) -> web.Response:
        if request.headers.get("Authorization") != "Basic ZHV0eTpodW50ZXIyMg==":
            return web.json_response({"code": 40101, "error": "unauthorized"}, status=401)
        return web.json_response({"id": "x"})


def address(service: Service, password: str = "hunter22") -> str:
    return service.base.replace("http://", f"ntfy://duty:{password}@") + "/alerts?mode=private"


async def test_a_message_arrives_through_apprise(secret: Secret, message: Message) -> None:
    async with serving(Ntfy(Clock(0.0))) as service:
        channel = make_channel(
            {"name": "phone", "type": "apprise", "url_file": secret("url", address(service))}, "here"
        )
        await channel.send(message)
        await channel.send(replace(message, occasion=Occasion.RESOLVED, lines=(), url=""))
        await channel.close()
    first, end = (body for _, body in service.requests)
    assert (
        first["title"] == message.title and first["message"] == "规则：河道水位\nhttps://wall.example/alerts/7"
    )
    assert end["title"] == message.title


async def test_a_failure_says_why_without_the_secret(secret: Secret, message: Message) -> None:
    async with serving(Ntfy(Clock(0.0))) as service:
        url = address(service, password="wr0ngpass")
        channel = make_channel({"name": "phone", "type": "apprise", "url_file": secret("url", url)}, "here")
        with pytest.raises(ChannelError, match="not delivered") as caught:
            await channel.send(message)
    assert "401" in caught.value.message or "nauthorized" in caught.value.message
    assert caught.value.retry and "wr0ngpass" not in str(caught.value) and "duty:" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("dingtalk://token", "type of its own"),
        ("feishu://token", "type of its own"),
        ("mailtos://u:p@h", "type of its own"),
        ("nosuch://t0psecret", "cannot read"),
    ],
)
def test_an_address_that_has_a_better_way_or_none_is_refused(url: str, words: str, secret: Secret) -> None:
    row: dict[str, Any] = {"name": "phone", "type": "apprise", "url_file": secret("url", url)}
    with pytest.raises(ConfigError, match=words) as caught:
        make_channel(row, "here")
    assert "t0psecret" not in str(caught.value)
