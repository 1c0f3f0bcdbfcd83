"""How early, how often wrongly and how exactly the forecast rule warns, on three recordings of a real river.

Run: make bench BENCH=forecast. A river has few floods; so every stage that the water reached is taken for a
warning stage in turn, each a centimetre from the next, and the default rule has to forecast each time the water
comes up to it: some dozens of crossings instead of two. Values that the technicians marked do not count.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from statistics import quantiles

from edge.model.alert import Episode
from edge.model.node import Node, node_id
from edge.rules import Rule, Watch, load_rules

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "water-level-logan"
STATIONS = ("WaterLab2019", "TonyGrove2014", "FranklinBasin2020")
LOCAL = timezone(timedelta(hours=-7))
MIN_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
LASTS_MS = 30 * MIN_MS  # a crossing counts when the water stays there so long
REACH_MS, NEAR_M = 6 * HOUR_MS, 0.02
STEP_MIN = 15  # the river was read so often: nothing is known to happen sooner


@dataclass(frozen=True, slots=True)
class Score:
    """What the rule did at one station, over all stages tried.

    crossings: the water came up to a stage after a day below it, and stayed for half an hour. reached:
    forecasts after which the water reached the stage within REACH_MS; near: it missed it by NEAR_M at most;
    false: by more.
    """

    station: str
    stages: int
    crossings: int
    warned: int
    leads_min: list[float]
    near: int
    false: int
    within: int
    days: float

    @property
    def reached(self) -> int:
        """How many forecasts came true."""
        return len(self.leads_min)


def series(station: str) -> list[tuple[int, float]]:
    """Return times and stages (m) that no technician marked."""
    found = []
    with gzip.open(DATA / f"{station}.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            text = row["stage"]
            if row["stage_qual"] == "NULL" and text != "NULL" and float(text) not in (-9999, 7999):
                moment = datetime.fromisoformat(row["datetime"]).replace(tzinfo=LOCAL).astimezone(UTC)
                found.append((round(moment.timestamp() * 1000), float(text) / 100))
    return found


def crossings(points: Sequence[tuple[int, float]], stage: float) -> list[int]:
    """Return when the water came up to the stage, after a day below it, and stayed for half an hour."""
    found: list[int] = []
    last_above, since = -DAY_MS, None
    for t_ms, level in points:
        if level < stage:
            since = None
            continue
        if since is None:
            since = (t_ms, t_ms - last_above >= DAY_MS)
        if since[1] and t_ms - since[0] >= LASTS_MS and (not found or found[-1] != since[0]):
            found.append(since[0])
        last_above = t_ms
    return [at for at in found if at > points[0][0] + DAY_MS]


def score(station: str, rule: Rule) -> Score:
    """Try the rule at one station."""
    points = series(station)
    levels = sorted(level for _, level in points)
    low, high = levels[len(levels) // 2], levels[-len(levels) // 1000]
    stages = [low + k / 100 for k in range(1, int((high - low) * 100))]
    times = [t_ms for t_ms, _ in points]
    leads: list[float] = []
    count = warned = near = false = within = 0
    for stage in stages:
        up = crossings(points, stage)
        forecasts = _forecasts(points, stage, rule)
        count += len(up)
        warned += sum(any(0 < at - one.updated_ms <= REACH_MS for one in forecasts) for at in up)
        for one in forecasts:
            begin, end = bisect_right(times, one.updated_ms), bisect_right(times, one.updated_ms + REACH_MS)
            after = points[begin:end]
            at = next((t_ms for t_ms, level in after if level >= stage), None)
            if at is None:
                close = any(level >= stage - NEAR_M for _, level in after)
                near, false = near + close, false + (not close)
                continue
            minutes = (at - one.updated_ms) / MIN_MS
            leads.append(minutes)
            assert one.note is not None
            within += one.note["earliest_min"] <= minutes <= max(one.note["latest_min"], STEP_MIN)
    days = (points[-1][0] - points[0][0]) / DAY_MS
    return Score(station, len(stages), count, warned, leads, near, false, within, days)


def _forecasts(points: Sequence[tuple[int, float]], stage: float, rule: Rule) -> list[Episode]:
    """Return the forecasts as they were when they were first told."""
    node = Node(
        id=node_id("logan"), kind="water_level", label_en="", label_zh="", site="s", district="d",
        stages={"warning_m": stage},
    )  # fmt: skip
    watch = Watch(node, ["level_m"], [rule], period_s=900)
    found = {}
    for t_ms, level in points:
        for episode in watch.take(t_ms, [level], [1]):
            found.setdefault(episode.key, episode)
    return list(found.values())


def main() -> None:
    """Print the table."""
    rule = next(rule for rule in load_rules() if rule.name == "flood_forecast")
    head = ("station            stages crossings warned", "reached  near false", "lead min")
    print("   forecasts: ".join(head[:2]) + f"   {head[2]} 10%/50%/90%")
    for station in STATIONS:
        one = score(station, rule)
        tenths = quantiles(one.leads_min, n=10)
        lead = f"{tenths[0]:.0f}/{tenths[4]:.0f}/{tenths[8]:.0f}"
        print(
            f"{station:<19}{one.stages:>6}{one.crossings:>10}{one.warned:>7}{one.reached:>20}{one.near:>6}{one.false:>6}"
            f"{lead:>17}, {one.within / one.reached:.0%} in band"
        )


if __name__ == "__main__":
    main()
