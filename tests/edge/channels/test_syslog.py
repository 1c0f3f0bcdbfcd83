"""Syslog, read from real sockets by the grammar of RFC 5424 and the framing of RFC 6587 and 5425."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from channels_peers.certificates import Certificate
from channels_peers.collector import Line, collecting

from edge.channels import Channel, ChannelError, Message, Occasion, make_channel
from edge.channels.syslog import SyslogConfig, encode
from edge.model.alert import Level
from edge.model.errors import ConfigError

TRANSPORTS = ["udp", "tcp", "tls"]
WITHIN_S = 20.0
CONFIG = SyslogConfig(name="siem", type="syslog", host="h")
Make = Callable[..., Channel]


@pytest.fixture
def make(certificate: Certificate) -> Make:
    def channel(transport: str, port: int, **changes: Any) -> Channel:
        row = {
            "name": "siem",
            "type": "syslog",
            "host": "127.0.0.1",
            "port": port,
            "transport": transport,
            **changes,
        }
        if transport == "tls":
            row.setdefault("ca_file", str(certificate.file))
        return make_channel({name: value for name, value in row.items() if value}, "here")

    return channel


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_message_is_read_as_the_standard_says(
    transport: str, make: Make, certificate: Certificate, message: Message
) -> None:
    context = certificate.context if transport == "tls" else None
    async with asyncio.timeout(WITHIN_S), collecting(transport, context) as collector:
        await make(transport, collector.port, hostname="gw-07").send(message)
        line = await collector.lines.get()
    assert (line.facility, line.severity) == (16, 2)
    assert (line.fields["host"], line.fields["app"], line.fields["msgid"]) == ("gw-07", "cityneuron", "opened")
    assert line.data == {"key": message.key, "occasion": "opened", "level": "orange", "url": message.url}
    assert line.text == f"{message.title}; 规则：河道水位"


async def test_several_messages_are_several_lines(make: Make, message: Message) -> None:
    async with asyncio.timeout(WITHIN_S), collecting("tcp") as collector:
        channel = make("tcp", collector.port)
        for key in ("a", "b", "c"):
            await channel.send(replace(message, key=key))
        assert {(await collector.lines.get()).data["key"] for _ in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("level", "severity"), [(Level.RED, 1), (Level.ORANGE, 2), (Level.YELLOW, 4), (Level.BLUE, 5), (None, 6)]
)
def test_a_level_is_a_severity(level: Level | None, severity: int, message: Message) -> None:
    assert Line.parse(encode(replace(message, level=level), CONFIG, 0)).severity == severity


def test_an_end_is_informational(message: Message) -> None:
    assert Line.parse(encode(replace(message, occasion=Occasion.RESOLVED), CONFIG, 0)).severity == 6


def test_marks_of_the_format_within_a_value_are_escaped(message: Message) -> None:
    line = Line.parse(encode(replace(message, key='a"b]c\\d\ne'), CONFIG, 0))
    assert line.data["key"] == 'a"b]c\\d e'


def test_a_datagram_is_cut_between_characters(message: Message) -> None:
    long = replace(message, lines=("水" * 3000,))
    line = Line.parse(encode(long, replace(CONFIG, transport="udp"), 0))
    assert line.size <= 2048 and line.text.endswith("水…")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_port_where_nobody_listens_is_a_clear_error(
    transport: str, make: Make, free_port: int, message: Message
) -> None:
    with pytest.raises(ChannelError, match="cannot be reached") as caught:
        await make(transport, free_port).send(message)
    assert caught.value.retry and "firewall" in caught.value.remedy


async def test_a_collector_that_nobody_vouches_for_is_told_nothing(
    make: Make, certificate: Certificate, message: Message
) -> None:
    async with asyncio.timeout(WITHIN_S), collecting("tls", certificate.context) as collector:
        with pytest.raises(ChannelError, match="not trusted") as caught:
            await make("tls", collector.port, ca_file="").send(message)
        assert not caught.value.retry and collector.lines.empty()


async def test_tls_to_a_plain_port_is_a_clear_error(make: Make, message: Message) -> None:
    async with asyncio.timeout(WITHIN_S):
        server = await asyncio.start_server(
            lambda _, writer: writer.write(b"hello, no TLS here\r\n"), "127.0.0.1", 0
        )
        with pytest.raises(ChannelError, match="TLS failed"):
            await make("tls", server.sockets[0].getsockname()[1]).send(message)
        server.close()


@pytest.mark.parametrize("changes", [{"facility": 24}, {"hostname": "two words"}, {"transport": "pigeon"}])
def test_a_table_that_cannot_work_is_refused_at_the_start(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        make_channel({"name": "siem", "type": "syslog", "host": "h", **changes}, "here")
