"""`make score`: run the checks over every recording and write docs/quality.md from its template."""

from __future__ import annotations

import sys
from pathlib import Path
from string import Template

from score.faults import FAULTS, Fault, Finder
from score.run import DOUBTED, Judged, judged
from score.sets import SETS, table

PROJECT = Path(__file__).parent.parent
DATA = PROJECT.parent / "shared" / "data"
TESTS = ("gross_range", "flat_line", "rate_of_change", "spike")
DUST, CLEAN = "air-sds011-aberdeen", "air-beijing"
TRUE_EVENTS = (
    (CLEAN, "Aotizhongxin", "pm2_5_ug_m3", "2016-02-08T02:00", "2016-02-08T02:00", "fireworks, 898 µg/m³"),
    (DUST, "5331", "pm10_ug_m3", "2018-02-05T15:17", "2018-02-05T15:34", "a true rise of dust"),
    (DUST, "15462", "pm10_ug_m3", "2019-03-06T18:16", "2019-03-06T20:13", "an evening of dust"),
    ("water-level-logan", "WaterLab2019", "level_m", "2019-06-06T23:00", "2019-06-09T14:30", "the June flood"),
)


def main() -> None:
    """Write the page."""
    if not DATA.is_dir():
        sys.exit(f"{DATA} is missing: the score is taken on the recordings beside the project")
    parts = {"reference": _reference(), "logan": _logan()}
    faults, rates, events = [], [], []
    for name in SETS:
        rows = judged(name, DATA)
        finder = Finder(rows)
        named = FAULTS[name](finder) if name in FAULTS else []
        faults += [_fault_row(name, each, rows) for each in named]
        rates.append(_rate_row(name, named, rows))
        events += [_event_row(event, finder) for event in TRUE_EVENTS if event[0] == name]
        print(rates[-1], flush=True)
    parts |= {"faults": "\n".join(faults), "rates": "\n".join(rates), "events": "\n".join(events)}
    template = Template((PROJECT / "score" / "quality.template").read_text(encoding="utf-8"))
    (PROJECT / "docs" / "quality.md").write_text(template.substitute(parts), encoding="utf-8")
    print("wrote docs/quality.md")


def reference_differences(rows: list[Judged]) -> dict[str, tuple[int, int, int]]:
    """Return for each test: what ioos_qc doubted, what we doubted, and in how many samples we differ."""
    expected = list(table(DATA / "tide-kotzebue" / "qartod_flags_expected.csv"))
    found = {}
    for test in TESTS:
        theirs = [row[f"{test}_test"] in ("3", "4") for row in expected]
        ours = [test in row.tests for row in rows]
        found[test] = (sum(theirs), sum(ours), sum(a != b for a, b in zip(theirs, ours, strict=True)))
    return found


def _reference() -> str:
    differences = reference_differences(judged("tide-kotzebue", DATA))
    return "\n".join(
        f"| `{test}` | {theirs} | {ours} | {apart} |" for test, (theirs, ours, apart) in differences.items()
    )


def _logan() -> str:
    rows = judged("water-level-logan", DATA)
    lines = []
    for node, quantity in dict.fromkeys((row.node, row.quantity) for row in rows):
        mine = [row for row in rows if (row.node, row.quantity) == (node, quantity)]
        coded = sum(row.truth != "" for row in mine)
        flagged = sum(row.doubted for row in mine)
        both = sum(row.doubted and row.truth != "" for row in mine)
        false = (flagged - both) / (len(mine) - coded)
        lines.append(
            f"| {node} | {quantity} | {len(mine):,} | {coded:,} | {flagged:,} | {both:,} "
            f"| {_share(both, flagged)} | {_share(both, coded)} | {false:.3%} |"
        )
    return "\n".join(lines)


def _fault_row(name: str, fault: Fault, rows: list[Judged]) -> str:
    found, count = fault.found(rows), len(fault.places)
    noticed = f"{found:,} of {count:,}" if fault.every else "yes"
    tests = fault.tests & {test for place in fault.places for test in rows[place].tests}
    return f"| {name} | {fault.label} | {noticed if found else 'no'} | {', '.join(sorted(tests))} |"


def _rate_row(name: str, named: list[Fault], rows: list[Judged]) -> str:
    places = {place for fault in named for place in fault.places}
    rest = [row for place, row in enumerate(rows) if place not in places]
    doubted, failed = sum(row.doubted for row in rest), sum(row.flag is DOUBTED[1] for row in rest)
    found, count = sum(fault.is_found(rows) for fault in named), len(named)
    share = f"{doubted / len(rest):.3%}" if rest else "–"
    return f"| {name} | {len(rows):,} | {count} | {found} | {doubted:,} | {failed:,} | {share} |"


def _event_row(event: tuple[str, ...], finder: Finder) -> str:
    name, node, quantity, begin, end, label = event
    mine = [finder.rows[place] for place in finder.within(node, quantity, begin, end)]
    failed, doubted = sum(row.flag is DOUBTED[1] for row in mine), sum(row.doubted for row in mine)
    return f"| {name} | {label} | {len(mine)} | {doubted} | {failed} |"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


if __name__ == "__main__":
    main()
