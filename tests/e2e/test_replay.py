"""Real recordings, through real Mosquitto and the gateway, into InfluxDB and into the embedded store.

What the store holds is compared with the CSV, read here anew by the standard library and `decimal`: count and
sum of every field. The loggers' sentinels (-9999, 7999) must be found as rejected, and nowhere else.
"""

import csv
import gzip
import io
import json
import math
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from city_rig import CITYNEURON, living
from servers import PROJECT, InfluxDB, Mosquitto

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SENTINELS = {Decimal(-9999), Decimal(7999)}
FULL = (0, 2_000_000_000_000)


@dataclass(frozen=True)
class Recording:
    """A file with its map, the node it becomes, and column -> (field, factor)."""

    file: str
    map: str
    node: str
    kind: str
    delimiter: str
    columns: dict[str, tuple[str, str]]


RECORDINGS = [
    Recording(
        "water-level-logan/WaterLab2019.csv.gz", "water-level-logan", "logan-waterlab2019", "water_level", ",",
        {
            "stage": ("level_m", "0.01"), "temp": ("water_temperature_c", "1"),
            "cond": ("conductivity_us_cm", "1"),
            "ph": ("ph", "1"), "do": ("dissolved_oxygen_mg_l", "1"), "turb": ("turbidity_ntu", "1"),
        },
    ),
    Recording(
        "power-pzem004t/pzem_usb2.csv", "power-pzem004t", "pzem-dev-ttyusb2", "power_meter", ",",
        {
            "voltage_v": ("voltage_v", "1"), "current_a": ("current_a", "1"), "power_w": ("power_w", "1"),
            "energy_wh": ("energy_wh", "1"), "frequency_hz": ("frequency_hz", "1"),
            "power_factor": ("power_factor", "1"),
        },
    ),
    Recording(
        "air-sds011-aberdeen/sds011_5331_2018-01-20_2018-02-20.csv.gz", "air-sds011-aberdeen", "sds011-5331",
        "air_quality", ";", {"P1": ("pm10_ug_m3", "1"), "P2": ("pm2_5_ug_m3", "1")},
    ),
]  # fmt: skip

Column = tuple[int, Decimal]


def read(path: Path, recording: Recording) -> tuple[int, dict[str, Column], dict[str, Column]]:
    """Return the rows, and count and sum of good values and of sentinels, by field."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    good: dict[str, Column] = {field: (0, Decimal(0)) for field, _ in recording.columns.values()}
    sentinels = dict(good)
    rows = 0
    for row in csv.DictReader(io.StringIO(text), delimiter=recording.delimiter):
        rows += 1
        cells = {name.strip(): cell.strip() for name, cell in row.items()}
        for name, (field, factor) in recording.columns.items():
            if cells[name] in ("", "NULL"):
                continue
            value = Decimal(cells[name])
            found = sentinels if value in SENTINELS else good
            count, total = found[field]
            found[field] = (count + 1, total + value * Decimal(factor))
    return rows, good, sentinels


def replay(data: Path, shared_data: Path, recording: Recording) -> dict[str, Any]:
    """Publish a recording to the city that runs in `data`."""
    command = [CITYNEURON, "replay", shared_data / recording.file, "--data", data, "--json"]
    command += ["--map", PROJECT / f"simulators/maps/{recording.map}.toml"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)  # type: ignore[no-any-return]


Ask = Callable[[Recording, str], tuple[int, float]]


def compare(data: Path, shared_data: Path, ask: Ask) -> None:
    """Replay every recording and compare what the store holds, field by field."""
    expected = {recording.node: read(shared_data / recording.file, recording) for recording in RECORDINGS}
    for recording in RECORDINGS:
        result = replay(data, shared_data, recording)
        assert result["acknowledged"] == result["rows_read"] == expected[recording.node][0]
    ledger = settled(data, {node: rows for node, (rows, _, _) in expected.items()})
    for recording in RECORDINGS:
        rows, good, sentinels = expected[recording.node]
        assert ledger[recording.node]["stored"] == ledger[recording.node]["produced"] == rows
        assert ledger[recording.node]["balanced"]
        for field, (count, total) in good.items():
            assert ask(recording, field) == (count, pytest.approx(float(total), rel=1e-12)), field
        for field, (count, total) in sentinels.items():
            assert ask(recording, f"{field}_rejected") == (count, pytest.approx(float(total))), field
    assert expected["logan-waterlab2019"][2]["water_temperature_c"] == (30, Decimal(-9999 * 30))


def settled(data: Path, rows: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return the ledger by node once all replayed readings are stored."""
    for _ in range(300):
        done = subprocess.run([CITYNEURON, "ledger", "--json", "--data", data], capture_output=True, check=True)
        ledger = {row["node"]: row for row in json.loads(done.stdout)["nodes"]}
        if all(ledger[node]["stored"] == count for node, count in rows.items()):
            return ledger
    raise AssertionError(f"never stored: {[ledger[node] for node in rows]}")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"


def test_recordings_arrive_in_influxdb_to_the_last_value(
    data: Path, shared_data: Path, mosquitto: Mosquitto, influxdb: InfluxDB
) -> None:
    def ask(recording: Recording, field: str) -> tuple[int, float]:
        chosen = f"SELECT COUNT({field}) AS n, SUM({field}) AS s FROM {recording.kind}"
        query = f"{chosen} WHERE node = '{recording.node}'"
        (row,) = influxdb.rows(query) or [{"n": 0, "s": 0.0}]
        return row["n"], row["s"]

    with living(data, "--broker", mosquitto.url, "--store", influxdb.url):
        compare(data, shared_data, ask)


def test_recordings_arrive_in_the_embedded_store_to_the_last_value(
    data: Path, shared_data: Path, mosquitto: Mosquitto
) -> None:
    with living(data, "--broker", mosquitto.url) as (_, where):

        def ask(recording: Recording, field: str) -> tuple[int, float]:
            query = f"node={recording.node}&quantity={field}&start={FULL[0]}&end={FULL[1]}"
            with urllib.request.urlopen(f"{where['cloud']}/api/v1/readings?{query}", timeout=30) as answer:
                values = [value for _, value in json.load(answer)["readings"]]
            return len(values), math.fsum(values)

        compare(data, shared_data, ask)
