"""What a reading of six quantities costs on its way: decoding, checking, writing its line; beside a peer.

Run: make bench BENCH=codec. The peer for the line is influxdb-client's Point. Medians of five runs.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

from influxdb_client import Point

from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.protocol.wire import Birth, Column, Pack, decode_pack, encode_pack
from gateway.intake import Intake

NOW_MS = 1_790_000_000_000
KIND = KINDS["water_quality"]
ROWS = 30
ROUNDS = 300
RUNS = 5


def median_us(work: Callable[[], object], per: int) -> float:
    """Return microseconds a reading: the median of RUNS runs of ROUNDS calls."""
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(ROUNDS):
            work()
        found.append((time.perf_counter() - began) / ROUNDS / per * 1e6)
    return statistics.median(found)


def main() -> None:
    """Print the table."""
    node = Node(id=node_id("wq-01"), kind=KIND.name, label_en="", label_zh="", site="s", district="d")
    birth = Birth(
        node="wq-01", kind=KIND.name, firmware="1", hardware="bench", boot=1, schema=1, period_s=60,
        columns=tuple(Column(name, 2) for name in KIND.quantities), oldest=(1, 0), next_seq=0,
        clock=Clock.SYNCED,
    )  # fmt: skip
    values = [1231, 37720, 842, 1181, 165, 12]
    many = Pack(1, 1, 0, NOW_MS, Clock.SYNCED, [[i * 1000, *values] for i in range(ROWS)])
    one = Pack(1, 1, 0, NOW_MS, Clock.SYNCED, [[0, *values]])
    intake, payload, single = Intake(node, birth), encode_pack(many), encode_pack(one)

    def point() -> str:
        found = Point(KIND.name).tag("node", "wq-01").tag("site", "s").tag("district", "d")
        for name, value in zip(KIND.quantities, values, strict=True):
            found = found.field(name, value / 100)
        return found.time(NOW_MS * 1_000_000).to_line_protocol()

    rows = [
        (f"decode a pack of {ROWS}", len(payload) / ROWS, median_us(lambda: decode_pack(payload), ROWS)),
        ("decode a pack of 1", len(single), median_us(lambda: decode_pack(single), 1)),
        ("check and write its line", 0, median_us(lambda: list(intake.read(many, 0, ROWS, NOW_MS)), ROWS)),
        ("influxdb-client Point", 0, median_us(point, 1)),
    ]
    print(f"{platform.machine()}, Python {platform.python_version()}; medians of {RUNS} runs, {KIND.name} x 6")
    for name, size, cost in rows:
        print(f"  {name:<26} {cost:8.2f} us a reading" + (f" {size:8.1f} bytes" if size else ""))
    print(f"  Point costs {rows[3][2] / rows[2][2]:.1f} times what checking and writing does")


if __name__ == "__main__":
    main()
