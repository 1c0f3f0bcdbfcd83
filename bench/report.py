"""The page: docs/performance.md from what the benches found, within the words of bench/performance.template.

make bench BENCH=report
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

from bench.chart import bars
from bench.results import PROJECT, TRIALS, Run, load, medians, options, spread
from bench.suite import PARTS

TEMPLATE = PROJECT / "bench" / "performance.template"
UNKNOWN = "not measured"
WRITERS = ("bare 1", "bare 2", "bare 4")
NAMES = {
    "ours 1x6": "**City Neuron**, packs of 1 reading x 6",
    "script value": "script, 1 value a message",
    "script reading": "script, 1 reading x 6 a message",
    "sub 1x6": "mosquitto_sub, packs of 1 x 6 (stores nothing)",
    "nobody 1x6": "nobody subscribes, packs of 1 x 6",
    "Node-RED": "Node-RED, 1 reading x 6 a message",
    "ThingsBoard gateway": "ThingsBoard gateway, 1 reading x 6 a message",
    "ours 30x6": "**City Neuron**, packs of 30 readings x 6",
    "sub 30x6": "mosquitto_sub, packs of 30 x 6 (stores nothing)",
    "nobody 30x6": "nobody subscribes, packs of 30 x 6",
    "bare 1": "bare writer, 1 connection (no broker)",
    "bare 2": "bare writer, 2 connections (no broker)",
    "bare 4": "bare writer, 4 connections (no broker)",
}
OTHERS = ("broker", "store", "generator", "rest")
TAKERS = ("gateway", "script", "peer", "mosquitto_sub", "writer")


class Found:
    """What the benches found, by part and contender."""

    def __init__(self, parts: dict[str, dict[str, Any]]) -> None:
        self.parts = parts

    def runs(self, part: str, contender: str) -> list[Run]:
        """Return the runs of a contender; none if it never ran."""
        found: list[Run] = self.parts.get(part, {}).get("runs", {}).get(contender, [])
        return found

    def median(self, part: str, contender: str, key: str) -> float | None:
        """Return the median of a figure."""
        return medians(self.runs(part, contender)).get(key)

    def show(self, part: str, contender: str, key: str, unit: str = "") -> str:
        """Return a figure with its spread, as the page writes it."""
        value = self.median(part, contender, key)
        if value is None:
            return UNKNOWN
        low, high = spread(self.runs(part, contender), key)
        wide = "" if low == high else f" ({number(low)} to {number(high)})"
        return f"{number(value)}{unit}{wide}"

    def best_bare(self) -> str:
        """Return the bare writer with the number of connections at which it was fastest."""
        return max(WRITERS, key=lambda name: self.median("throughput", name, "readings_per_s") or 0.0)


def number(value: float) -> str:
    """Write a number so that about three digits count."""
    if not value:
        return "0"
    for limit, digits in ((10_000, -2), (1_000, -1), (100, 0), (10, 1), (0.1, 2)):
        if abs(value) >= limit:
            return f"{round(value, digits):,.{max(0, digits)}f}"
    return f"{value:.3f}"


def ratio(ours: float | None, theirs: float | None) -> str:
    """Return how many times theirs ours is."""
    return f"{ours / theirs:.2f}" if ours and theirs else UNKNOWN


def table(head: Iterable[str], rows: Iterable[Iterable[str]], mark: str = "---:|") -> str:
    """Return a Markdown table; all but the first column to the right, or as `mark` says."""
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|---|" + mark * (len(names) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def summary(found: Found) -> str:
    """Return the table that is read in a minute."""
    wide = found.best_bare()
    one, six = "script, 1 value a message", "script, 6 values a message"
    compared = [
        ("messages/s, packs of 1 reading x 6", "ours 1x6", "messages_per_s", "script value", one),
        ("messages/s, packs of 1 reading x 6", "ours 1x6", "messages_per_s", "script reading", six),
        ("values/s, packs of 1 reading x 6", "ours 1x6", "values_per_s", "script value", one),
        ("readings/s, packs of 30 x 6", "ours 30x6", "readings_per_s", "script reading", six),
        ("readings/s, packs of 30 x 6", "ours 30x6", "readings_per_s", wide, "bare writer, no broker"),
    ]
    rows = [
        [
            what,
            found.show("throughput", ours, key),
            f"{found.show('throughput', other, key)}: {words}",
            ratio(found.median("throughput", ours, key), found.median("throughput", other, key)),
        ]
        for what, ours, key, other, words in compared
    ]
    rows.append([
        "backlog drained, readings/s", found.show("drain", "ours", "drained_per_s"),
        f"{found.show('drain', 'bare', 'readings_per_s')}: bare writer, no broker",
        ratio(found.median("drain", "ours", "drained_per_s"), found.median("drain", "bare", "readings_per_s")),
    ])  # fmt: skip
    alone = [
        ("age of live readings meanwhile, p99", found.show("drain", "ours", "live_p99_s", " s")),
        ("sensed to stored at half load, p50", found.show("latency", "ours", "p50_ms", " ms")),
        ("sensed to stored at half load, p99", found.show("latency", "ours", "p99_ms", " ms")),
        ("sensed to stored at half load, p99.9", found.show("latency", "ours", "p999_ms", " ms")),
        ("kill -9 under half load: new readings stored after", found.show("recovery", "ours", "blind_s", " s")),
        ("kill -9 before the backlog: the same", found.show("drain", "ours", "blind_s", " s")),
        ("memory (RSS) at 1,000 nodes", found.show("memory", "1000", "rss_mb", " MB")),
        ("memory (RSS) at 10,000 nodes", found.show("memory", "10000", "rss_mb", " MB")),
        ("memory (RSS) at 100,000 nodes", found.show("memory", "100000", "rss_mb", " MB")),
        ("CPU a message, packs of 1", found.show("throughput", "ours 1x6", "gateway_us_per_message", " µs")),
        ("CPU a reading, packs of 30", found.show("throughput", "ours 30x6", "gateway_us_per_reading", " µs")),
        ("disk a queued reading", found.show("drain", "ours", "disk_bytes_per_reading", " bytes")),
    ]
    rows += [[what, figure, "", ""] for what, figure in alone]
    return table(("", "City Neuron", "beside it, in the same run", "ours / theirs"), rows)


def throughput(found: Found) -> str:
    """Return all contenders with rates, and the CPU that each process used of the wall time."""
    rows = []
    for name, words in NAMES.items():
        part = "others" if name in ("Node-RED", "ThingsBoard gateway") else "throughput"
        wall_s = found.median(part, name, "wall_s")
        if wall_s is None:
            continue
        busy = {key: found.median(part, name, f"cpu_{key}_s") for key in (*TAKERS, *OTHERS)}
        cores = {key: f"{used / wall_s:.2f}" for key, used in busy.items() if used is not None}
        taker = next((cores[key] for key in TAKERS if key in cores), "")
        shown = [found.show(part, name, "messages_per_s") if not name.startswith("bare") else ""]
        shown += [number(found.median(part, name, f"{what}_per_s") or 0) for what in ("readings", "values")]
        rows.append([words, *shown, taker, *(cores.get(key, "") for key in OTHERS)])
    head = ("contender", "messages/s", "readings/s", "values/s", "cores: contender", *OTHERS)
    return table(head, rows) if rows else UNKNOWN


def memory(found: Found) -> str:
    """Return memory by number of nodes."""
    keys = {
        "rss_mb": "RSS, MB",
        "pss_mb": "PSS, MB",
        "roster_rss_mb": "RSS at first, MB",
        "births_s": "births, s",
    }
    sizes = ("1000", "10000", "100000")
    rows = [[f"{int(size):,}", *(found.show("memory", size, key) for key in keys)] for size in sizes]
    return table(("nodes", *keys.values()), rows)


def drain(found: Found) -> str:
    """Return what building and draining the backlog was like."""
    wanted = [
        ("readings in the backlog", "readings", ""),
        ("taken in while the store was away, readings/s", "taken_in_per_s", ""),
        ("CPU a reading for that", "taken_in_us_per_reading", " µs"),
        ("on disk", "disk_bytes_per_reading", " bytes a reading"),
        ("memory with the backlog", "rss_mb_with_backlog", " MB"),
        ("kill -9, then: the first new reading is stored after", "blind_s", " s"),
        ("drained, readings/s", "drained_per_s", ""),
        ("age of live readings meanwhile, p50", "live_p50_s", " s"),
        ("age of live readings meanwhile, p99", "live_p99_s", " s"),
        ("the oldest of them", "live_most_s", " s"),
    ]
    rows = [[what, found.show("drain", "ours", key, unit)] for what, key, unit in wanted]
    whole = found.show("drain", "bare", "readings_per_s")
    rows.append(["bare writer, all these lines, readings/s", whole])
    for name in WRITERS:
        rows.append([f"{NAMES[name]}, first 1.2 million", found.show("drain", name, "readings_per_s")])
    return table(("", ""), rows)


def scaling(found: Found) -> str:
    """Return one gateway beside two: rates, and the CPU of the gateways together a reading."""
    rows = []
    for count in (1, 30):
        one, two = f"1 at {count}x6", f"2 at {count}x6"
        rates = [found.median("scaling", name, "readings_per_s") for name in (two, one)]
        shown = [found.show("scaling", name, "readings_per_s") for name in (one, two)]
        costs = [found.show("scaling", name, "gateways_us_per_reading", " µs") for name in (one, two)]
        rows.append([f"{count} a pack", *shown, ratio(*rates), *costs])
    head = ("readings", "one, readings/s", "two, readings/s", "two / one", "CPU a reading: one", "two together")
    return table(head, rows)


def alerts(found: Found) -> str:
    """Return how long it takes from a reading to the message about it."""
    wanted = (("half of them within", "p50_ms"), ("99 % within", "p99_ms"), ("all within", "most_ms"))
    rows = [[what, found.show("alerts", "City Neuron", key, " ms")] for what, key in wanted]
    return table(("from sensed to message", ""), rows)


def foreign(found: Found) -> str:
    """Return how long foreign devices wait for their answers, and how late others are asked."""
    wanted = [
        ("reports answered after their commit", "reports", ""),
        ("not answered", "unanswered", ""),
        ("answered within, p50", "answer_p50_ms", " ms"),
        ("answered within, p99", "answer_p99_ms", " ms"),
        ("the last of them", "answer_most_ms", " ms"),
        ("a meter's period exceeded by at most", "late_most_ms", " ms"),
        ("readings, meters' included", "readings", ""),
        ("missing in the ledger", "missing", ""),
        ("neither missing nor in the store", "not_in_store", ""),
        ("cores: gateway", "gateway_cores", ""),
    ]
    ways = ("spread", "at once")
    rows = [[what, *(found.show("foreign", way, key, unit) for way in ways)] for what, key, unit in wanted]
    return table(("", "spread over the two seconds", "all at the same moment"), rows)


def year(found: Found) -> str:
    """Return how long questions about a year take, on each store."""
    wanted = [
        ("nodes", "nodes", ""),
        ("days of one node, 365 values", "node_days_ms", " ms"),
        ("hours of one node, 8,760 values", "node_hours_ms", " ms"),
        ("days of all nodes of the kind together, 365 values", "city_days_ms", " ms"),
        ("hours of all nodes together, 8,760 values", "city_hours_ms", " ms"),
        ("one day of every node, a value each", "every_node_ms", " ms"),
        ("points of days", "days_points", ""),
        ("writing them", "fill_days_s", " s"),
        ("writing 17,520 points of hours", "fill_hours_s", " s"),
        ("on disk", "disk_mb", " MB"),
    ]
    stores = ("embedded", "InfluxDB")
    rows = [[what, *(found.show("year", store, key, unit) for store in stores)] for what, key, unit in wanted]
    return table(("", "embedded store", "InfluxDB 1.6.7"), rows)


def setting(found: Found) -> str:
    """Return machine and versions; each part says when and of which commit it was measured."""
    rows, seen = [], []
    for part, document in found.parts.items():
        machine, versions = document["machine"], document["versions"]
        runs = str(len(next(iter(document["runs"].values()))))
        seen.append([part, f"`{document['command']}`", document["time"], versions["City Neuron"], runs])
        size = f"{machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}"
        rows = [["machine", f"{machine['cpu']}; {size}"]]
        rows += [[name, text] for name, text in versions.items() if name != "City Neuron"]
    head = ("part", "command", "time (UTC)", "City Neuron", "runs")
    return table(("", ""), rows, mark="---|") + "\n\n" + table(head, seen, mark="---|")


def chart(found: Found) -> str:
    """Return the picture of readings a second into the store."""
    chosen = [
        ("City Neuron, packs of 30", "throughput", "ours 30x6"),
        ("City Neuron, packs of 1", "throughput", "ours 1x6"),
        ("script, 6 values a message", "throughput", "script reading"),
        ("script, 1 value a message", "throughput", "script value"),
        ("Node-RED, 6 values a message", "others", "Node-RED"),
    ]
    rates = [
        (label, found.median(part, name, "readings_per_s"), label[0] == "C") for label, part, name in chosen
    ]
    rows = [(label, rate, ours) for label, rate, ours in rates if rate]
    return bars("Readings of six quantities stored in InfluxDB, a second", rows)


def page(found: Found) -> str:
    """Return the whole page."""
    blocks = (summary, throughput, memory, drain, scaling, alerts, foreign, year, setting)
    filled = {block.__name__: block(found) for block in blocks}
    head = "<!-- Written by `make bench`; the words are in bench/performance.template. -->\n"
    return head + Template(TEMPLATE.read_text(encoding="utf-8")).substitute(filled)


def main() -> None:
    """Write page and picture: of full runs into docs/, of quick ones beside their results."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    documents = {name: load(name, quick=chosen.quick) for name in (*PARTS, "others")}
    folder = TRIALS.parent if chosen.quick else PROJECT / "docs"
    found = Found({name: document for name, document in documents.items() if document})
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    _write(folder / "performance.md", page(found))
    if found.runs("throughput", "ours 1x6"):
        _write(images / "throughput.svg", chart(found))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
