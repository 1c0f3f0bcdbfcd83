"""Many boards, one after another: what is done is not done again, and what would fail them all stops."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

from field_rig import CloudStandIn, Workplace, status
from rich.console import Console

from edge.field.board import Handling
from edge.field.chips import Chip
from edge.field.cloud import CloudApi
from edge.field.convoy import Convoy, run_convoy
from edge.field.diagnosis import Symptom, diagnose
from edge.field.order import Order
from edge.field.provision import Job
from edge.field.table import Outcomes, read_table

TABLE = "id,kind,port\nair-1,weather,/dev/ttyUSB0\nair-2,weather,\n"


def convoy(place: Workplace, url: str, tmp_path: Path, **changes: Any) -> tuple[Convoy, io.StringIO]:
    path = tmp_path / "nodes.csv"
    path.write_text(TABLE)
    out = io.StringIO()
    job = Job(order=Order(kind=""), handling=Handling(by="flash"), who="wang")
    whole: dict[str, Any] = {
        "rows": read_table(path, Order(kind="")), "outcomes": Outcomes(path), "job": job, "tools": place.tools,
        "cloud": CloudApi(url, CloudStandIn.TOKEN), "bundle": None, "console": Console(file=out, width=100),
        "ask": lambda: "\n",
    }  # fmt: skip
    return Convoy(**(whole | changes)), out


def store(cloud: CloudStandIn) -> None:
    for node in ("air-1", "air-2"):
        cloud.latest[node] = {"time_ms": time.time_ns() // 1_000_000 + 60_000, "qc": {}}


async def test_every_row_becomes_a_node_and_a_second_run_does_nothing(
    place: Workplace, url: str, cloud: CloudStandIn, tmp_path: Path
) -> None:
    store(cloud)
    place.console.statuses = [status(node="air-1"), status(node="air-2")]
    boards = iter(("aa" * 6, "bb" * 6))

    async def identify() -> Any:
        return Chip("esp32", next(boards))

    place.chip.identify = identify  # type: ignore[method-assign]
    one, out = convoy(place, url, tmp_path)
    assert await run_convoy(one) == 0
    assert "2 of 2 nodes are done" in out.getvalue()
    assert set(cloud.serials.values()) == {"air-1", "air-2"}
    again, out = convoy(place, url, tmp_path)
    assert await run_convoy(again) == 0
    assert "2 nodes: 2 done before, 0 to do" in out.getvalue()


async def test_a_row_that_failed_is_told_kept_and_tried_again(
    place: Workplace, url: str, cloud: CloudStandIn, tmp_path: Path
) -> None:
    store(cloud)
    place.console.statuses = [status(node="air-2")]
    place.chip.error = diagnose(Symptom.FLASH_BROKE_OFF, said="Timed out")
    one, out = convoy(place, url, tmp_path)
    assert await run_convoy(one) == 1
    assert "air-1  flash: writing the flash broke off: Timed out" in out.getvalue()
    rows = [json.loads(line) for line in one.outcomes.path.read_text().splitlines()]
    assert [(row["key"], row["ok"]) for row in rows] == [("air-1", False), ("air-2", True)]
    again, out = convoy(place, url, tmp_path)
    place.console.statuses = [status(node="air-1")]
    place.chip.chip = Chip("esp32", "bb" * 6)
    assert await run_convoy(again) == 0
    assert "2 nodes: 1 done before, 1 to do" in out.getvalue()


async def test_a_board_that_was_left_plugged_in_does_not_become_the_next_node(
    place: Workplace, url: str, cloud: CloudStandIn, tmp_path: Path
) -> None:
    store(cloud)
    place.console.statuses = [status(node="air-1")]
    one, out = convoy(place, url, tmp_path)
    assert await run_convoy(one) == 1
    assert "air-2  chip: the board 24dcc3a1b2c4 is another row's node already" in out.getvalue()
    assert set(cloud.serials.values()) == {"air-1"}


async def test_what_would_fail_every_row_stops_at_the_first(place: Workplace, tmp_path: Path) -> None:
    one, out = convoy(place, "http://127.0.0.1:9", tmp_path)
    assert await run_convoy(one) == 1
    assert len(one.outcomes.path.read_text().splitlines()) == 1
    assert "air-2  not yet tried" in out.getvalue()
