"""What can go wrong on the way to any service, and that no secret is told with it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from channels_peers.certificates import Certificate
from channels_peers.services import Clock, WeComService, serving
from hypothesis import given
from hypothesis import strategies as st

from edge.channels import CHANNELS, Channel, ChannelError, Message, load_channels, make_channel
from edge.channels.dingtalk import DingTalk
from edge.channels.exchange import Answer
from edge.channels.feishu import Feishu
from edge.channels.webhook import Webhook
from edge.channels.wecom import WeCom
from edge.model.errors import CityError, ConfigError

Secret = Callable[[str, str], str]
KEY = "w3c0mk3y"
HTTP = ["dingtalk", "wecom", "feishu", "webhook"]
SAMPLE = Path(load_channels.__code__.co_filename).with_name("channels.sample.toml")


def http_channel(kind: str, secret: Secret, url: str, **changes: Any) -> Channel:
    row = {
        "name": "duty",
        "type": kind,
        "url_file": secret("url", url),
        "timeout_s": 5.0,
        "attempts": 1,
        **changes,
    }
    if kind == "webhook":
        row["secret_file"] = secret("sign", "s3cr3t-of-the-hook")
    return make_channel(row, "here")


async def refused(channel: Channel, message: Message) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(message)
    await channel.close()
    return caught.value


@pytest.mark.parametrize("kind", HTTP)
async def test_a_refused_connection_is_tried_again(
    kind: str, secret: Secret, free_port: int, message: Message
) -> None:
    error = await refused(http_channel(kind, secret, f"http://127.0.0.1:{free_port}/x?key={KEY}"), message)
    assert error.retry and "cannot be reached" in error.message and "firewall" in error.remedy
    assert KEY not in str(error)


async def test_a_server_that_hangs_is_given_up_in_time(secret: Secret, message: Message) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        service.hangs = True
        error = await refused(http_channel("wecom", secret, service.url, timeout_s=0.2), message)
    assert error.retry and "no answer within 0.2 s" in error.message


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "row",
    [
        {"type": "email", "sender": "a@b.example", "to": ["c@d.example"], "tls": "none"},
        {"type": "email", "sender": "a@b.example", "to": ["c@d.example"], "tls": "implicit"},
        {"type": "syslog", "transport": "tls"},
    ],
    ids=["smtp", "smtps", "syslog"],
)
async def test_a_port_that_takes_the_call_and_says_nothing_is_given_up_in_time(
    row: dict[str, Any], message: Message
) -> None:
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = make_channel({"name": "mute", "host": "127.0.0.1", "port": port, "timeout_s": 0.3, **row}, "here")
    error = await refused(channel, message)
    server.close()
    assert error.retry and "no answer within 0.3 s" in error.message


async def test_a_mail_server_that_says_nothing_is_told_as_such_though_the_loop_is_busy(
    message: Message,
) -> None:
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    row = {"type": "email", "sender": "a@b.example", "to": ["c@d.example"], "tls": "none"}
    channel = make_channel({"name": "mute", "host": "127.0.0.1", "port": port, "timeout_s": 0.3, **row}, "here")
    asyncio.get_running_loop().call_later(0.1, time.sleep, 0.6)  # the thread's own limit passes first
    error = await refused(channel, message)
    server.close()
    assert error.retry and "no answer within 0.3 s" in error.message


async def test_a_certificate_that_nobody_vouches_for_is_told_nothing(
    secret: Secret, certificate: Certificate, message: Message
) -> None:
    async with serving(WeComService(Clock(0.0)), certificate.context) as service:
        error = await refused(http_channel("wecom", secret, service.url), message)
        assert not error.retry and "not trusted" in error.message and "ca_file" in error.remedy
        assert service.requests == []
        trusting = http_channel("wecom", secret, service.url, ca_file=str(certificate.file))
        await trusting.send(message)
        await trusting.close()
        assert service.texts == [message.text]


async def test_tls_to_a_plain_port_is_a_clear_error(secret: Secret, message: Message) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        error = await refused(http_channel("wecom", secret, service.url.replace("http:", "https:")), message)
    assert "TLS failed" in error.message and KEY not in str(error)


async def test_no_secret_is_told_by_any_error_log_or_repr(
    secret: Secret, free_port: int, message: Message, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    async with serving(WeComService(Clock(0.0))) as service:
        for kind in HTTP:
            for base in (service.base, f"http://127.0.0.1:{free_port}"):
                channel = http_channel(
                    kind, secret, f"{base}/send/t0psecret?access_token=t0psecret&key=t0psecret"
                )
                try:
                    await channel.send(message)
                except ChannelError as error:
                    told += [str(error), repr(error), str(error.__cause__)]
                told += [repr(channel), str(channel), repr(channel.config)]
                codec = vars(channel)["_codec"]
                told += [repr(codec), repr(codec.request(message, 0))]
                await channel.close()
    everything = "\n".join(told) + "\n".join(
        record.getMessage() for record in caplog.records if record.name != "aiohttp.access"
    )
    assert "t0psecret" not in everything and "s3cr3t" not in everything
    assert len(told) > 30


async def test_an_error_page_that_repeats_the_address_does_not_tell_it(
    secret: Secret, message: Message
) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        page = f"<p>ERROR\x1b[31m: {service.url} could not be retrieved; key=w3c0mk3y</p>"
        for answer in (web.Response(status=502, text=page), web.Response(text=page)):
            service.answers.append(answer)
            error = await refused(http_channel("wecom", secret, service.url), message)
            assert error.retry and "could not be retrieved" in error.message
            assert KEY not in str(error) and "\x1b" not in str(error)


async def test_a_proxy_is_the_way_out_and_its_refusal_is_told(secret: Secret, message: Message) -> None:
    async with serving(WeComService(Clock(0.0))) as proxy:
        far = proxy.url.replace(proxy.base, "http://10.255.0.9")
        through = {"proxy": proxy.base.replace("//", "//user:pr0xypass@"), "allow_http": True}
        channel = http_channel("wecom", secret, far, **through)
        await channel.send(message)
        await channel.close()
        (request, _), *_ = proxy.requests
        assert request.host == "10.255.0.9" and "Proxy-Authorization" in request.headers
        assert proxy.texts == [message.text] and "pr0xypass" not in repr(channel.config)
        secure = http_channel("wecom", secret, far.replace("http:", "https:"), **through)
        error = await refused(secure, message)
        assert "the proxy answers 404" in error.message and "pr0xypass" not in str(error)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(["errcode", "code", "StatusCode", "errmsg", "msg", "punish", "wait"])


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=200)
    | st.dictionaries(_KEYS, _JSON, max_size=4).map(lambda row: json.dumps(row).encode())
    | st.sampled_from([b"[" * 60_000, b'{"errcode":' + b"9" * 5000 + b"}"]),
    after=st.text(max_size=40),
)
def test_whatever_a_service_answers_is_a_delivery_or_an_error_of_ours(
    status: int, body: bytes, after: str
) -> None:
    for codec in (DingTalk, WeCom, Feishu, Webhook):
        try:
            codec.judge(codec.__new__(codec), Answer(status, body, {"retry-after": after}), 0)  # type: ignore[arg-type]
        except ChannelError as error:
            assert error.remedy and (error.after_s is None or 0 <= error.after_s <= 3600)
        else:
            assert 200 <= status < 300


def test_every_type_has_a_sample_that_loads(tmp_path: Path, secret: Secret) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, text in {
        "dingtalk.url": "https://oapi.dingtalk.com/robot/send?access_token=x",
        "dingtalk.secret": "SECx",
        "wecom.url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x",
        "feishu.url": "https://open.feishu.cn/open-apis/bot/v2/hook/x",
        "feishu.secret": "x",
        "mail.password": "x",
        "platform.url": "https://platform.example/hooks",
        "platform.secret": "whsec_c2VjcmV0",
        "ntfy.url": "ntfys://user:password@ntfy.example.org/alerts",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    copy = tmp_path / "channels.toml"
    copy.write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    channels = load_channels(copy)
    assert [channel.config.type for channel in channels] == list(CHANNELS)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"type": "pager"}, "is no channel"),
        ({"type": "wecom", "name": "a"}, "url_file is missing"),
        ({"type": "wecom", "name": "a", "url_file": "nowhere"}, "cannot read"),
        ({"type": "wecom", "name": "", "url_file": "URL"}, "out of range"),
        ({"type": "wecom", "name": "a", "url_file": "URL", "secret": "x"}, "unknown key 'secret'"),
        ({"type": "wecom", "name": "a", "url_file": "URL", "level": "purple"}, "purple"),
        ({"type": "wecom", "name": "a", "url_file": "URL", "at_mobiles": [138]}, "at_mobiles"),
        ({"type": "wecom", "name": "a", "url_file": "URL", "ca_file": "URL"}, "ca_file"),
    ],
)
def test_a_mistake_in_a_table_is_named(row: dict[str, Any], words: str, secret: Secret) -> None:
    url = secret("url", "https://h.example/x")
    with pytest.raises(ConfigError, match=words):
        make_channel({key: url if value == "URL" else value for key, value in row.items()}, "channels.toml")


def test_an_address_without_tls_is_refused_beyond_loopback_unless_somebody_allowed_it(secret: Secret) -> None:
    url = "http://10.0.0.9/hooks?key=t0psecret"
    with pytest.raises(ConfigError, match="http://") as caught:
        http_channel("wecom", secret, url)
    assert "t0psecret" not in str(caught.value) and "allow_http" in caught.value.remedy
    assert http_channel("wecom", secret, url, allow_http=True).name == "duty"
    with pytest.raises(ConfigError, match="no https address"):
        http_channel("wecom", secret, "oapi.dingtalk.com/robot/send?access_token=t0psecret")


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    loose = tmp_path / "url"
    loose.write_text("https://h.example/x")
    loose.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        make_channel({"name": "a", "type": "wecom", "url_file": str(loose)}, "here")


def test_two_channels_of_one_name_are_refused(secret: Secret) -> None:
    row = {"name": "a", "type": "wecom", "url_file": secret("url", "https://h.example/x")}
    with pytest.raises(ConfigError, match="already"):
        load_channels([row, row], "channels.toml")


def test_a_smaller_limit_may_be_asked_for(secret: Secret) -> None:
    row = {"name": "a", "type": "wecom", "url_file": secret("url", "https://h.example/x"), "per_minute": 6}
    assert make_channel(row, "here").limit == 6


def test_a_channel_error_is_one_of_ours() -> None:
    assert issubclass(ChannelError, CityError)
