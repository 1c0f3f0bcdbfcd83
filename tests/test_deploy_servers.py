"""What users deploy does on real servers what it says: accounts, access by topic, restarts, grants."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
import servers
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.ca import Authority, private_pem, write_whole
from cloud.services import epoch_ms

DEPLOY = servers.DEPLOY
PASSWORDS = {"gateway_account": "secret-g", "node-a": "secret-a", "node-b": "secret-b"}
WITHIN_S = 20.0


@pytest.fixture
def closed_broker(tmp_path: Path) -> Iterator[servers.Mosquitto]:
    """Mosquitto as deployed: passwords, acl.conf, nobody anonymous."""
    broker = servers.Mosquitto(tmp_path / "mosquitto", passwords=PASSWORDS)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def client(broker: servers.Mosquitto, name: str, password: str | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host, broker.port, username=name, password=password or PASSWORDS[name], identifier=f"c-{name}"
    )


async def heard(listener: aiomqtt.Client, last: str) -> list[str]:
    """The topics that arrive, up to and with the control message `last`."""
    topics = []
    async with asyncio.timeout(WITHIN_S):
        async for message in listener.messages:
            topics.append(str(message.topic))
            if topics[-1] == last:
                break
    return topics


@pytest.mark.real
async def test_a_node_cannot_speak_as_another_and_can_as_itself(closed_broker: servers.Mosquitto) -> None:
    up = ("birth", "data", "replay", "reply", "death")
    async with client(closed_broker, "gateway_account") as gateway, client(closed_broker, "node-a") as node:
        for leaf in up:
            await gateway.subscribe(f"cn/v1/+/{leaf}", qos=1)
        for leaf in up:  # a denied publish is acknowledged like any other: only its absence tells
            await node.publish(f"cn/v1/node-b/{leaf}", b"forged", qos=1)
        await node.publish("cn/v1/node-a/ack", b"forged", qos=1)
        await node.publish("anything/else", b"forged", qos=1)
        for leaf in up:
            await node.publish(f"cn/v1/node-a/{leaf}", b"mine", qos=1)
        assert await heard(gateway, "cn/v1/node-a/death") == [f"cn/v1/node-a/{leaf}" for leaf in up]


@pytest.mark.real
async def test_a_node_hears_its_own_answers_and_nobody_elses(closed_broker: servers.Mosquitto) -> None:
    async with (
        client(closed_broker, "gateway_account") as gateway,
        client(closed_broker, "node-a") as one,
        client(closed_broker, "node-b") as other,
    ):
        await one.subscribe("#", qos=1)  # granted, and of no use
        await one.subscribe("cn/v1/node-b/cmd", qos=1)
        await one.subscribe("cn/v1/node-b/data", qos=1)
        await other.publish("cn/v1/node-b/data", b"private", qos=1)
        for leaf in ("ack", "cmd"):
            await gateway.publish(f"cn/v1/node-b/{leaf}", b"for b", qos=1)
        for leaf in ("ack", "cmd"):
            await gateway.publish(f"cn/v1/node-a/{leaf}", b"for a", qos=1)
        assert set(await heard(one, "cn/v1/node-a/cmd")) == {"cn/v1/node-a/ack", "cn/v1/node-a/cmd"}


@pytest.mark.real
async def test_a_last_will_speaks_for_its_own_node_only(closed_broker: servers.Mosquitto) -> None:
    forged = aiomqtt.Will("cn/v1/node-b/death", b"forged", qos=1)
    async with client(closed_broker, "gateway_account") as gateway:
        await gateway.subscribe("cn/v1/+/death", qos=1)
        node = aiomqtt.Client(
            closed_broker.host, closed_broker.port, username="node-a", password=PASSWORDS["node-a"], will=forged
        )
        async with node:
            node._client._sock_close()  # gone without a goodbye
        async with client(closed_broker, "node-b") as other:
            await other.publish("cn/v1/node-b/death", b"mine", qos=1)
            async with asyncio.timeout(WITHIN_S):
                message = await anext(aiter(gateway.messages))
        assert message.payload == b"mine"


@pytest.mark.real
@pytest.mark.parametrize(("name", "password"), [("node-a", "wrong"), ("stranger", "secret-a"), (None, None)])
async def test_nobody_gets_in_without_an_account_of_their_own(
    closed_broker: servers.Mosquitto, name: str | None, password: str | None
) -> None:
    stranger = aiomqtt.Client(closed_broker.host, closed_broker.port, username=name, password=password)
    with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
        async with stranger:
            pass


class StartedByScript(servers.Mosquitto):
    """The broker as its container starts it: deploy/mosquitto/start.sh. `keys`: what is mounted for TLS."""

    def __init__(self, folder: Path, keys: Path | None = None) -> None:
        super().__init__(folder)
        self.keys = keys or folder / "no-keys"
        self.tls_port = servers.free_port()

    def command(self) -> list[str]:
        environment = {
            "MQTT_PORT": self.port,
            "MQTT_BIND": self.host,
            "MQTT_SYSTEM_USER": "root" if os.geteuid() == 0 else "mosquitto",
            "MQTT_ANONYMOUS": "false",
            "MQTT_DATA_DIR": self.folder,
            "MQTT_LOG_DEST": "stdout",
            "MQTT_GATEWAY_PASSWORD": "from-env",
            "MQTT_TLS_PORT": self.tls_port,
            "MQTT_TLS_BIND": self.host,
            "MQTT_TLS_DIR": self.keys,
            "MQTT_CRL_FILE": self.keys / "crl.pem",
            "MQTT_CRL_LOOK_S": "0.1",
        }
        path = f"PATH={Path(servers.program('mosquitto')).parent}:{os.environ['PATH']}"
        pairs = [f"{name}={value}" for name, value in environment.items()]
        return ["env", path, *pairs, "sh", str(DEPLOY / "mosquitto" / "start.sh")]


@pytest.mark.real
async def test_the_broker_of_the_container_knows_the_gateway_and_keeps_accounts_over_a_restart(
    tmp_path: Path,
) -> None:
    broker = StartedByScript(tmp_path / "mosquitto")
    try:
        broker.start()
        accounts = broker.folder / "passwords"
        command = [servers.program("mosquitto_passwd"), "-b", str(accounts), "node-a", "secret-a"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        broker.stop()
        broker.start()
        async with client(broker, "gateway_account", "from-env") as gateway, client(broker, "node-a") as node:
            await gateway.subscribe("cn/v1/+/data", qos=1)
            await node.publish("cn/v1/node-a/data", b"mine", qos=1)
            assert await heard(gateway, "cn/v1/node-a/data") == ["cn/v1/node-a/data"]
        assert stat.S_IMODE(accounts.stat().st_mode) & 0o077 == 0
    finally:
        broker.kill()


class Keys:
    """What the cloud's authority gives a broker and nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = Authority.create(folder / "ca", epoch_ms())
        write_whole(folder / "ca.crt", self._authority.root_pem.encode())
        key = ec.generate_private_key(ec.SECP256R1())
        write_whole(folder / "server.key", private_pem(key), mode=0o600)
        write_whole(
            folder / "server.crt", self._authority.sign_server([servers.HOST], key.public_key(), epoch_ms())
        )
        self.revoke()

    def revoke(self, *numbers: str) -> None:
        """Write the list as the cloud does: at one stroke."""
        gone = [(number, epoch_ms()) for number in numbers]
        write_whole(self.folder / "crl.pem", self._authority.revocations(gone, epoch_ms()))

    def issue(self, node: str) -> str:
        """Write a node's key and certificate; return the certificate's number."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._authority.sign(node, key.public_key(), epoch_ms())
        write_whole(self.folder / f"{node}.crt", made.pem.encode())
        write_whole(self.folder / f"{node}.key", private_pem(key), mode=0o600)
        return made.number

    def client(self, broker: StartedByScript, node: str) -> aiomqtt.Client:
        """A client that shows a node's certificate."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # as a node's; and a refusal is told in the handshake
        context.load_cert_chain(self.folder / f"{node}.crt", self.folder / f"{node}.key")
        return aiomqtt.Client(broker.host, broker.tls_port, tls_context=context, timeout=WITHIN_S)


@pytest.mark.real
async def test_the_broker_of_the_container_lets_nodes_in_by_certificate_and_reads_a_new_list_by_itself(
    tmp_path: Path,
) -> None:
    keys = Keys(tmp_path)
    number = keys.issue("node-a")
    keys.issue("node-b")
    broker = StartedByScript(tmp_path / "mosquitto", keys.folder)
    try:
        broker.start()
        async with (
            client(broker, "gateway_account", "from-env") as gateway,
            keys.client(broker, "node-a") as node,
        ):
            await gateway.subscribe("cn/v1/+/data", qos=1)
            await node.publish("cn/v1/node-b/data", b"forged", qos=1)
            await node.publish("cn/v1/node-a/data", b"mine", qos=1)
            assert await heard(gateway, "cn/v1/node-a/data") == ["cn/v1/node-a/data"]
        keys.revoke(number)
        with pytest.raises(aiomqtt.MqttError):
            async with asyncio.timeout(WITHIN_S):
                while True:  # the list is looked at ten times a second here
                    async with keys.client(broker, "node-a"):
                        pass
        async with keys.client(broker, "node-b"):
            pass
    finally:
        broker.kill()


@pytest.mark.real
async def test_what_waits_for_a_gateway_outlives_an_orderly_restart_of_the_broker(
    mosquitto: servers.Mosquitto,
) -> None:
    def gateway() -> aiomqtt.Client:
        return aiomqtt.Client(mosquitto.host, mosquitto.port, identifier="gateway", clean_session=False)

    async with gateway() as first:
        await first.subscribe("cn/v1/+/data", qos=1)
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as node:
        for number in range(1500):  # the default would drop a third of them in silence
            await node.publish("cn/v1/node-a/data", str(number), qos=1)
    mosquitto.stop()
    mosquitto.start()
    async with gateway() as second, asyncio.timeout(WITHIN_S):
        waiting = aiter(second.messages)
        assert [int((await anext(waiting)).payload) for _ in range(1500)] == list(range(1500))


@pytest.mark.real
def test_the_deployed_store_refuses_whoever_has_no_password(tmp_path: Path) -> None:
    store = servers.InfluxDB(tmp_path / "influxdb", password="secret-store")
    try:
        store.start()
        store.write("water_level,node=a level_m=1.5 1700000000000000000")
        assert store.rows("SELECT * FROM water_level")[0]["level_m"] == 1.5
        store.password = ""
        with pytest.raises(servers.ServerError, match="401"):
            store.query("city", "SELECT * FROM water_level")
        with pytest.raises(servers.ServerError, match="401"):
            store.write("water_level,node=a level_m=1.5")
    finally:
        store.kill()


@pytest.mark.real
def test_the_gateways_user_may_write_the_clouds_both_and_the_readers_may_read(tmp_path: Path) -> None:
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    statements = re.findall(
        r"-execute \"((?:CREATE USER (?:gateway|cloud|reader) |CREATE DATABASE city_|GRANT ).*)\"", readme
    )
    assert len(statements) == 7
    point = "water_level,node=a level_m=1.5 1700000000000000000"
    store = servers.InfluxDB(tmp_path / "influxdb", password="secret-store")
    try:
        store.start()
        for statement in statements:
            store.query("", re.sub(r"\$\([^)]*\)", "secret-user", statement))
        store.password = "secret-user"
        store.username = "gateway"
        store.write(point)
        with pytest.raises(servers.ServerError, match="not authorized"):
            store.rows("SELECT * FROM water_level")
        store.username = "cloud"
        for database in ("city", "city_hours", "city_days"):
            store.write(point, db=database)
            assert store.rows("SELECT * FROM water_level", db=database)[0]["level_m"] == 1.5
        store.username = "reader"
        assert store.rows("SELECT * FROM water_level")[0]["level_m"] == 1.5
        with pytest.raises(servers.ServerError, match="403"):
            store.write(point)
    finally:
        store.kill()
