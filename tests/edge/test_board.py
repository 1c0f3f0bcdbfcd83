"""A Linux board as a node: sensors as files, a configuration that explains itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import servers
import typer
from peer import Peer
from typer.testing import CliRunner

from edge import cli
from edge.agent import SystemTime
from edge.board import BoardTime, FileSampler, FileSensor, board_serial, load_board
from edge.broker import BrokerAddress
from edge.model.errors import ConfigError, IdentityError
from edge.model.quality import Clock

SAMPLE = Path(cli.__file__).with_name("agent.sample.toml")


def test_the_sample_configuration_loads() -> None:
    board = load_board(SAMPLE)
    assert board.node.id == "soil-04"
    assert board.period_s == 900
    assert [sensor.quantity for sensor in board.sensors] == ["soil_temperature_c", "soil_moisture_pct"]


def test_values_are_the_numbers_in_the_files_in_our_units(tmp_path: Path) -> None:
    file = tmp_path / "temperature"
    file.write_text("18437\n")
    sampler = FileSampler(
        [FileSensor(quantity="soil_temperature_c", file=file, factor=0.001, offset=1.0)],
    )
    assert sampler.sample(0) == pytest.approx((19.437,))


@pytest.mark.parametrize("text", ["", "n/a", None])
def test_a_sensor_that_says_nothing_gives_no_value_and_is_told_once(
    tmp_path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "temperature"
    if text is not None:
        file.write_text(text)
    sampler = FileSampler([FileSensor(quantity="soil_temperature_c", file=file)])
    assert [sampler.sample(0), sampler.sample(1)] == [(None,), (None,)]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "soil"', 'kind = "moon"', "unknown kind 'moon'"),
        ("soil_temperature_c", "soil_soul", "unknown quantity 'soil_soul'"),
        ("soil_temperature_c", "soil_moisture_pct", "two"),
        ("[agent]", "[agents]", "unknown key 'agents'"),
        ('broker = "mqtt', 'host = "mqtt', "unknown key 'host'"),
        ("mqtt://127", "http://127", "not a broker URL"),
        ("#period_s = 900", "period_s = 0", "period_s"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_board(path)


def test_an_id_that_no_node_can_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8").replace("soil-04", "Soil 4"), encoding="utf-8")
    with pytest.raises(IdentityError):
        load_board(path)


async def test_the_command_delivers_what_the_board_senses(tmp_path: Path, mosquitto: servers.Mosquitto) -> None:
    (tmp_path / "t").write_text("18437")
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[node]\nid = "soil-09"\nkind = "soil"\n[agent]\nbroker = "{mosquitto.url}"\ndata = "{tmp_path}"\n'
        f'period_s = 0.1\nflush_s = 0.01\n[[sensor]]\nquantity = "soil_temperature_c"\nfile = "{tmp_path}/t"\n'
        "factor = 0.001\n"
    )
    async with Peer(mosquitto.host, mosquitto.port) as peer:
        run = asyncio.create_task(cli._run(load_board(config), 1, 1.5))
        counts = await run
        assert counts.held == 0
        assert counts.acknowledged >= 5
        assert {row[2] for row in peer.rows.values()} == {(184,)}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([b"10000000c4a1f2b7\0", b"3f2a\n"], "10000000c4a1f2b7"),  # a device tree ends its texts with NUL
        ([None, b"3f2a\n"], "3f2a"),
        ([b"\0", b"\n"], ""),
        ([b"\xff\xfe", b"a\x07b"], ""),
        ([b"x" * 100, None], "x" * 64),
        ([None, None], ""),
    ],
)
def test_the_serial_number_is_the_hardwares_else_the_systems_else_none(
    tmp_path: Path, files: list[bytes | None], expected: str
) -> None:
    paths = [tmp_path / str(index) for index in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        if content is not None:
            path.write_bytes(content)
    assert board_serial(paths) == expected


def test_the_board_says_how_far_its_clock_can_be_trusted() -> None:
    time = BoardTime()
    assert time.state in Clock
    assert SystemTime().now_ms() <= time.now_ms() <= SystemTime().now_ms()


def test_the_command_explains_itself() -> None:
    app = typer.Typer()
    app.add_typer(cli.app, name="agent")
    assert (
        "agent.sample.toml"
        in CliRunner().invoke(app, ["agent", "run", "--help"], env={"COLUMNS": "200"}).output
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://10.0.0.1", BrokerAddress(host="10.0.0.1", port=1883)),
        ("10.0.0.1:1884", BrokerAddress(host="10.0.0.1", port=1884)),
        (
            "mqtts://ys-07:p%40ss@broker",
            BrokerAddress(host="broker", port=8883, tls=True, username="ys-07", password="p@ss"),
        ),
    ],
)
def test_a_broker_is_one_url(url: str, expected: BrokerAddress) -> None:
    assert BrokerAddress.parse(url) == expected
    assert "p@ss" not in str(expected)


@pytest.mark.parametrize("url", ["", "http://x", "mqtt://", "mqtt://x:port", "mqtt://u:secret@x/path"])
def test_what_is_no_broker_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        BrokerAddress.parse(url)
    assert "secret" not in str(refused.value)
