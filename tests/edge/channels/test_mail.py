"""E-mail, through a real SMTP server with TLS and accounts: what arrives, and what each refusal means."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from channels_peers.certificates import Certificate
from channels_peers.mailserver import ACCOUNT, PASSWORD, Mailbox, mail_server

from edge.channels import Channel, ChannelError, Message, Occasion, make_channel
from edge.model.alert import Level
from edge.model.errors import ConfigError

Secret = Callable[[str, str], str]
TLS = ["starttls", "implicit"]


@pytest.fixture
def row(secret: Secret, certificate: Certificate) -> dict[str, Any]:
    """A [[channel]] table that suits the server of these tests, but for the port."""
    return {
        "name": "duty-mail", "type": "email", "host": "127.0.0.1", "sender": ACCOUNT,
        "to": ["duty@city.example", "leader@city.example"], "username": ACCOUNT,
        "password_file": secret("password", PASSWORD), "ca_file": str(certificate.file), "timeout_s": 5.0,
    }  # fmt: skip


async def refused(channel: Channel, message: Message) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await channel.send(message)
    await channel.close()
    return caught.value


def channel_of(row: dict[str, Any], box: Mailbox, **changes: Any) -> Channel:
    return make_channel({**row, "port": box.port, **changes}, "here")


@pytest.mark.parametrize("tls", TLS)
async def test_a_mail_arrives_over_tls_after_a_sign_in(
    tls: str, row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    async with mail_server(certificate.context, tls) as box:
        channel = channel_of(row, box, tls=tls)
        await channel.send(message)
        await channel.close()
    (mail,) = box.mails
    assert (box.over_tls, box.signed_in) == ([True], [True])
    assert mail["Subject"] == message.title
    assert mail["From"] == f"城市神经元 City Neuron <{ACCOUNT}>"
    assert box.recipients == ["duty@city.example", "leader@city.example"]
    assert mail.get_content().splitlines() == message.text.splitlines()
    assert (mail["X-City-Level"], mail["Importance"], mail["Auto-Submitted"]) == (
        "orange",
        "high",
        "auto-generated",
    )


async def test_a_repeat_is_the_same_mail_and_an_episode_is_one_thread(
    row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    over = replace(message, key=message.key.replace("opened", "resolved"), occasion=Occasion.RESOLVED)
    async with mail_server(certificate.context, "starttls") as box:
        channel = channel_of(row, box)
        for sent in (message, message, over):
            await channel.send(sent)
        await channel.close()
    first, again, end = box.mails
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["References"] == end["References"]
    assert end["Importance"] is None


async def test_a_relay_within_one_s_own_network_needs_neither_tls_nor_account(message: Message) -> None:
    bare = {
        "name": "relay",
        "type": "email",
        "host": "127.0.0.1",
        "sender": ACCOUNT,
        "to": ["a@b.example"],
        "tls": "none",
    }
    async with mail_server(None, "none") as box:
        channel = channel_of(bare, box)
        await channel.send(replace(message, level=Level.BLUE))
        await channel.close()
    assert box.over_tls == [False] and len(box.mails) == 1


@pytest.mark.parametrize("tls", TLS)
async def test_a_certificate_that_nobody_vouches_for_gets_no_password(
    tls: str, row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    del row["ca_file"]
    async with mail_server(certificate.context, tls) as box:
        error = await refused(channel_of(row, box, tls=tls), message)
    assert not error.retry and "not trusted" in error.message and "ca_file" in error.remedy
    assert box.mails == []


async def test_a_wrong_password_is_final_and_never_shown(
    row: dict[str, Any], secret: Secret, certificate: Certificate, message: Message
) -> None:
    async with mail_server(certificate.context, "starttls") as box:
        error = await refused(channel_of(row, box, password_file=secret("wrong", "wr0ng-horse")), message)
    assert not error.retry and "535" in error.message and "授权码" in error.remedy
    assert "wr0ng" not in str(error)


async def test_a_server_that_wants_a_sign_in_says_so(
    row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    bare = {name: value for name, value in row.items() if name not in ("username", "password_file")}
    async with mail_server(certificate.context, "starttls") as box:
        error = await refused(channel_of(bare, box), message)
    assert not error.retry and "530" in error.message and "password_file" in error.remedy


async def test_a_server_without_starttls_gets_no_password(row: dict[str, Any], message: Message) -> None:
    async with mail_server(None, "none") as box:
        error = await refused(channel_of(row, box), message)
    assert not error.retry and "STARTTLS" in error.message and box.mails == []


async def test_the_wrong_kind_of_tls_is_a_clear_error(
    row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    async with mail_server(certificate.context, "starttls") as box:
        error = await refused(channel_of(row, box, tls="implicit"), message)
    assert "TLS failed" in error.message and "port" in error.remedy


@pytest.mark.parametrize(("reply", "retry"), [("451 4.7.1 greylisted", True), ("554 5.7.1 spam", False)])
async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(
    reply: str, retry: bool, row: dict[str, Any], certificate: Certificate, message: Message
) -> None:
    async with mail_server(certificate.context, "starttls") as box:
        box.refuse_data = reply
        error = await refused(channel_of(row, box), message)
    assert error.retry is retry and reply[4:] in error.message and error.remedy


async def test_when_nobody_is_known_it_fails_and_when_one_is_unknown_the_others_have_it(
    row: dict[str, Any], certificate: Certificate, message: Message, caplog: pytest.LogCaptureFixture
) -> None:
    async with mail_server(certificate.context, "starttls") as box:
        channel = channel_of(row, box)
        box.refuse = {"leader@city.example": "550 5.1.1 no such mailbox"}
        with caplog.at_level(logging.WARNING):
            await channel.send(message)
        assert box.recipients == ["duty@city.example"]
        assert "leader@city.example: channel duty-mail: the mail server answers 550" in caplog.text
        box.refuse["duty@city.example"] = "550 5.1.1 no such mailbox"
        error = await refused(channel, message)
        assert not error.retry and "550" in error.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": []}, "to is empty"),
        ({"to": ["nobody"]}, "no mail address"),
        ({"sender": "a@b\r\nBcc: c@d"}, "no mail address"),
        ({"username": ""}, "belong together"),
        ({"tls": "none"}, "in the clear"),
        ({"tls": "maybe"}, "maybe"),
    ],
)
def test_a_table_that_cannot_work_is_refused_at_the_start(
    changes: dict[str, Any], words: str, row: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=words):
        make_channel({**row, **changes}, "here")
