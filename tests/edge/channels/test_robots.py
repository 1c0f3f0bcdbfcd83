"""DingTalk, WeCom and Feishu, against servers that check signatures, times and limits as the real ones do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from channels_peers.services import (
    Clock,
    DingTalkService,
    FeishuService,
    Service,
    WeComService,
    coded,
    serving,
)

from edge.channels import CHANNELS, Channel, ChannelError, Limiter, Message, Occasion, make_channel
from edge.channels.dingtalk import DingTalk
from edge.channels.feishu import Feishu
from edge.channels.http import HttpChannel
from edge.channels.wecom import WeCom
from edge.model.alert import Level

NOW_S = 1_780_918_920.25
Secret = Callable[[str, str], str]


class Robot(NamedTuple):
    service: type[Service]
    codec: Any
    secret: str
    token: str


ROBOTS = {
    "dingtalk": Robot(DingTalkService, DingTalk, "SECdingsecret", "d1ng70k3n"),
    "wecom": Robot(WeComService, WeCom, "", "w3c0mk3y"),
    "feishu": Robot(FeishuService, Feishu, "feishusecret", "f31shu-70k3n"),
}
SIGNED = ["dingtalk", "feishu"]


@asynccontextmanager
async def robot(
    kind: str, secret: Secret, *, clock_wrong_s: float = 0.0, **table: Any
) -> AsyncIterator[tuple[Channel, Any]]:
    """A channel of this kind and its service; `clock_wrong_s`: how far this machine's clock is off."""
    parts, clock = ROBOTS[kind], Clock(NOW_S)
    async with serving(parts.service(clock)) as service:
        signing = {"secret_file": secret("sign", parts.secret)} if parts.secret else {}
        url = table.pop("url", service.url)
        row = {"name": "duty", "type": kind, "url_file": secret("url", url), **signing, **table}
        made = make_channel(row, "here")
        codec = parts.codec(made.config)
        channel = HttpChannel(
            made.config, codec, made.windows, lambda: clock.now_ms() + int(clock_wrong_s * 1000)
        )
        try:
            yield channel, service
        finally:
            await channel.close()


async def refused(channel: Channel, message: Message) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(message)
    return caught.value


@pytest.mark.parametrize("kind", ROBOTS)
async def test_a_message_arrives_as_it_was_written(kind: str, secret: Secret, message: Message) -> None:
    async with robot(kind, secret) as (channel, service):
        await channel.send(message)
        assert service.texts == [message.text]


@pytest.mark.parametrize("kind", SIGNED)
async def test_a_wrong_secret_is_not_tried_again_and_says_what_to_check(
    kind: str, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret, secret_file=secret("other", "SECwrong")) as (channel, service):
        error = await refused(channel, message)
        assert not error.retry and "secret_file" in error.remedy
        assert service.texts == []


@pytest.mark.parametrize("kind", SIGNED)
async def test_a_signature_of_a_clock_an_hour_off_is_refused(
    kind: str, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret, clock_wrong_s=-3700) as (channel, service):
        error = await refused(channel, message)
        assert not error.retry and "clock" in error.remedy
        assert service.texts == []


@pytest.mark.parametrize("kind", SIGNED)
async def test_a_signature_of_a_clock_some_minutes_off_is_good(
    kind: str, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret, clock_wrong_s=300) as (channel, service):
        await channel.send(message)
        assert len(service.texts) == 1


@pytest.mark.parametrize("kind", ROBOTS)
async def test_an_unknown_token_within_http_200_is_an_error(
    kind: str, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret) as (_, service):
        wrong = service.url.replace(ROBOTS[kind].token, "nobody")
    async with serving(ROBOTS[kind].service(Clock(NOW_S))) as service:
        path = wrong.split("/", 3)[3]
        async with robot(kind, secret, url=f"{service.base}/{path}") as (channel, _):
            error = await refused(channel, message)
    assert not error.retry and "url_file" in error.remedy
    assert "nobody" not in str(error)


@pytest.mark.parametrize(("kind", "within_a_minute", "after_s"), [("dingtalk", 20, 600.0), ("wecom", 20, 60.0)])
async def test_one_too_many_in_a_minute_is_to_be_tried_again_after_the_service_s_own_time(
    kind: str, within_a_minute: int, after_s: float, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret) as (channel, service):
        assert channel.limit == within_a_minute
        for _ in range(within_a_minute):
            await channel.send(message)
        error = await refused(channel, message)
        assert error.retry and error.after_s == after_s
        service.clock.now_s += after_s
        await channel.send(message)
        assert len(service.texts) == within_a_minute + 1


async def test_feishu_is_too_fast_within_a_second(secret: Secret, message: Message) -> None:
    async with robot("feishu", secret) as (channel, service):
        assert channel.limit == 100
        for _ in range(5):
            await channel.send(message)
        error = await refused(channel, message)
        assert error.retry and error.after_s == 60.0
        assert len(service.texts) == 5


@pytest.mark.parametrize("kind", ROBOTS)
async def test_whoever_keeps_the_channel_s_own_limiter_is_never_refused(
    kind: str, secret: Secret, message: Message
) -> None:
    async with robot(kind, secret) as (channel, service):
        limiter: Limiter = channel.limiter()
        for _ in range(45):
            service.clock.now_s += limiter.wait_s(service.clock.now_s)
            limiter.sent(service.clock.now_s)
            await channel.send(message)
        assert len(service.texts) == 45


@pytest.mark.parametrize("kind", ROBOTS)
async def test_a_digest_of_many_lines_fits_and_says_what_is_missing(
    kind: str, secret: Secret, message: Message
) -> None:
    lines = tuple(
        f"✸ 红 第 {number} 号“站”：水位 3.12 m，超保证水位 3.00 m，自 19:31 起" for number in range(400)
    )
    async with robot(kind, secret) as (channel, service):
        await channel.send(replace(message, lines=lines))
        (text,) = service.texts
        shown = text.split("\n")
        assert shown[0] == message.title and shown[-1] == message.url
        assert shown[-2] == f"（另有 {400 - (len(shown) - 3)} 行未显示，详见链接）"


async def test_a_service_that_is_busy_is_tried_again(secret: Secret, message: Message) -> None:
    for kind in ("dingtalk", "wecom"):
        async with robot(kind, secret) as (channel, service):
            service.answers.append(coded(-1, "系统繁忙"))
            assert (await refused(channel, message)).retry


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("keywords not in content", "加签"),
        ("ip 192.0.2.1 not in whitelist", "address"),
        ("sign not match", "secret_file"),
        ("invalid timestamp", "clock"),
        ("description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳", "secret_file"),
        ("description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在timestampms以内", "clock"),
        ("description:关键词不匹配", "加签"),
    ],
)
async def test_dingtalk_s_one_code_for_four_mistakes_is_told_apart(
    words: str, hint: str, secret: Secret, message: Message
) -> None:
    async with robot("dingtalk", secret) as (channel, service):
        service.answers.append(coded(310000, words))
        error = await refused(channel, message)
        assert not error.retry and hint in error.remedy


@pytest.mark.parametrize("code", [130101, 410100, 660026])
async def test_every_code_by_which_dingtalk_says_too_fast_means_ten_minutes(
    code: int, secret: Secret, message: Message
) -> None:
    async with robot("dingtalk", secret) as (channel, service):
        service.answers.append(coded(code, "too fast"))
        error = await refused(channel, message)
        assert error.retry and error.after_s == 600.0


async def test_what_stands_before_dingtalk_and_turns_us_away_is_understood(
    secret: Secret, message: Message
) -> None:
    async with robot("dingtalk", secret) as (channel, service):
        service.answers.append(web.json_response({"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}))
        error = await refused(channel, message)
        assert error.retry and error.after_s == 5.0


async def test_feishu_s_frequency_limit_under_any_code_is_tried_again(secret: Secret, message: Message) -> None:
    async with robot("feishu", secret) as (channel, service):
        service.answers.append(web.json_response({"code": 9499, "msg": "too many request"}))
        assert (await refused(channel, message)).retry
        service.answers.append(web.json_response({"code": 9499, "msg": "Bad Request"}, status=400))
        assert not (await refused(channel, message)).retry


@pytest.mark.parametrize("kind", ROBOTS)
async def test_a_sign_in_page_in_between_is_no_delivery(kind: str, secret: Secret, message: Message) -> None:
    async with robot(kind, secret) as (channel, service):
        service.answers.append(web.Response(text="<html>Please sign in</html>", content_type="text/html"))
        error = await refused(channel, message)
        assert error.retry and "Please sign in" in error.message
        service.answers.append(web.json_response({"unexpected": True}))
        assert (await refused(channel, message)).retry


@pytest.mark.parametrize("kind", ROBOTS)
async def test_a_redirect_is_not_followed(kind: str, secret: Secret, message: Message) -> None:
    async with robot(kind, secret) as (channel, service):
        service.answers.append(web.Response(status=307, headers={"Location": service.base + "/other"}))
        error = await refused(channel, message)
        assert not error.retry and "moved" in error.message and len(service.requests) == 1


async def test_people_are_called_from_a_level_on_and_never_for_an_end(secret: Secret, message: Message) -> None:
    mobiles = ["13800001111"]
    async with robot("dingtalk", secret, at_mobiles=mobiles) as (channel, service):
        for sent in (
            message,
            replace(message, level=Level.YELLOW),
            replace(message, occasion=Occasion.RESOLVED),
        ):
            await channel.send(sent)
        assert [body.get("at") for _, body in service.requests] == [{"atMobiles": mobiles}, None, None]
        assert service.texts[0].endswith("\n@13800001111")
    async with robot("wecom", secret, at_mobiles=mobiles, at_level="yellow") as (channel, service):
        await channel.send(replace(message, level=Level.YELLOW))
        assert service.requests[0][1]["text"]["mentioned_mobile_list"] == mobiles
    async with robot("feishu", secret, at_all=True) as (channel, service):
        await channel.send(message)
        assert service.texts[0].endswith('<at user_id="all">所有人</at>')


async def test_a_name_cannot_call_everybody_in_feishu(secret: Secret, message: Message) -> None:
    async with robot("feishu", secret) as (channel, service):
        await channel.send(replace(message, title='<at user_id="all">站</at>：水位'))
        assert "<at" not in service.texts[0]


def test_the_suite_covers_every_robot() -> None:
    assert set(ROBOTS) == {"dingtalk", "wecom", "feishu"} <= set(CHANNELS)
