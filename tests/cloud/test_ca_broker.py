"""A real Mosquitto believes the authority: the certificate is the name, and what is revoked stays outside."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
import servers
from cryptography.hazmat.primitives.asymmetric import ec
from devices_rig import new_key

from cloud.ca import GATEWAY, Authority, private_pem, write_whole
from cloud.services import epoch_ms

pytestmark = pytest.mark.real
WITHIN_S = 20.0


class Street:
    """An authority and its broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "ca", epoch_ms())
        key = new_key()
        hosts = ["localhost", "127.0.0.1"]
        write_whole(folder / "server.crt", self.authority.sign_server(hosts, key.public_key(), epoch_ms()))
        write_whole(folder / "server.key", private_pem(key), mode=0o600)
        write_whole(folder / "ca.crt", self.authority.root_pem.encode())
        self.revoke()
        self.broker = servers.TlsMosquitto(folder / "broker", folder, passwords={"nobody": "a password"})

    def revoke(self, *numbers: str) -> None:
        """Write the list of revoked certificates."""
        now_ms = epoch_ms()
        content = self.authority.revocations([(number, now_ms) for number in numbers], now_ms)
        write_whole(self.folder / "crl.pem", content)

    def identity(self, node: str, authority: Authority | None = None) -> str:
        """Write a node's key and certificate; return the certificate's number."""
        key: ec.EllipticCurvePrivateKey = new_key()
        made = (authority or self.authority).sign(node, key.public_key(), epoch_ms())
        write_whole(self.folder / f"{node}.crt", made.pem.encode())
        write_whole(self.folder / f"{node}.key", private_pem(key), mode=0o600)
        return made.number

    def client(self, node: str | None) -> aiomqtt.Client:
        """Return a client that shows a node's certificate."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # as a node's; and a refusal is told in the handshake
        if node is not None:
            context.load_cert_chain(self.folder / f"{node}.crt", self.folder / f"{node}.key")
        return aiomqtt.Client("127.0.0.1", self.broker.port, tls_context=context, timeout=WITHIN_S)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    street.broker.start()
    yield street
    street.broker.stop()


async def enters(street: Street, node: str | None) -> bool:
    try:
        async with street.client(node):
            return True
    except aiomqtt.MqttError:
        return False


async def test_the_certificate_is_the_name_and_a_node_speaks_for_itself_alone(street: Street) -> None:
    for name in (GATEWAY, "water-1", "water-2"):
        street.identity(name)
    async with (
        street.client(GATEWAY) as gateway,
        street.client("water-1") as one,
        street.client("water-2") as two,
    ):
        await gateway.subscribe("cn/v1/+/data", qos=1)
        await two.subscribe("cn/v1/+/cmd", qos=1)  # granted, and still only its own comes
        await one.publish("cn/v1/water-2/data", b"in another's name", qos=1)
        await one.publish("cn/v1/water-2/cmd", b"open the gate", qos=1)
        await one.publish("cn/v1/water-1/data", b"its own", qos=1)
        await gateway.publish("cn/v1/water-1/cmd", b"for the other", qos=1)
        await gateway.publish("cn/v1/water-2/cmd", b"for it", qos=1)
        assert (await first(gateway)) == ("cn/v1/water-1/data", b"its own")
        assert (await first(two)) == ("cn/v1/water-2/cmd", b"for it")


async def first(client: aiomqtt.Client) -> tuple[str, object]:
    """The first message that a client gets."""
    async with asyncio.timeout(WITHIN_S):
        async for message in client.messages:
            return str(message.topic), message.payload
    raise AssertionError("the connection ended")


async def test_who_has_no_certificate_of_this_authority_stays_outside(street: Street, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other", epoch_ms())
    street.identity("water-1")
    street.identity("water-9", other)
    assert await enters(street, "water-1")
    assert not await enters(street, None)
    assert not await enters(street, "water-9")


async def test_what_is_revoked_stays_outside_once_the_broker_has_read_the_list(street: Street) -> None:
    number = street.identity("water-1")
    street.identity("water-2")
    assert await enters(street, "water-1")
    street.revoke(number)
    street.broker.stop()
    street.broker.start()
    assert not await enters(street, "water-1")
    assert await enters(street, "water-2")


async def test_a_hang_up_signal_makes_the_broker_read_the_list(street: Street) -> None:
    number = street.identity("water-1")
    street.revoke(number)
    await hang_up(street)
    assert street.broker.running


async def hang_up(street: Street, node: str = "water-1") -> None:
    """Let the broker read its list anew; return when it keeps the node out."""
    os.kill(street.broker.pid, signal.SIGHUP)
    async with asyncio.timeout(WITHIN_S):
        while await enters(street, node):
            pass


async def test_who_is_connected_stays_until_the_connection_ends_and_a_restart_ends_all(street: Street) -> None:
    number = street.identity("water-1")
    for name in ("water-2", GATEWAY):
        street.identity(name)
    async with street.client(GATEWAY) as gateway, street.client("water-1") as stolen:
        await gateway.subscribe("cn/v1/+/data", qos=1)
        street.revoke(number)
        await hang_up(street)
        await stolen.publish("cn/v1/water-1/data", b"still heard", qos=1)
        assert await first(gateway) == ("cn/v1/water-1/data", b"still heard")
        street.broker.stop()
        street.broker.start()
        with pytest.raises(aiomqtt.MqttError):
            await first(stolen)
    assert not await enters(street, "water-1")
    assert await enters(street, "water-2") and await enters(street, GATEWAY)
