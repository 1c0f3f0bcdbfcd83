"""The faults that each recording's own description names, and where they are: what the checks have to find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edge.quality.history import moment_ms
from score.run import Judged

ANY = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: the places of its values in the table, and the tests of which any must have noticed it.

    every: whether each value counts; else one that is noticed is enough.
    """

    label: str
    places: frozenset[int]
    tests: frozenset[str]
    every: bool = True

    def found(self, rows: Sequence[Judged]) -> int:
        """Return how many of its values were noticed."""
        return sum(bool(rows[place].tests & self.tests) for place in self.places)

    def is_found(self, rows: Sequence[Judged]) -> bool:
        """Tell whether all of it was noticed, or any where that is enough."""
        found = self.found(rows)
        return found == len(self.places) if self.every else found > 0


class Finder:
    """Finds the places of values in a table."""

    def __init__(self, rows: Sequence[Judged]) -> None:
        self.rows = rows
        self.times = [moment_ms(row.time, 0) for row in rows]

    def within(self, node: str, quantity: str, begin: str, end: str = "") -> frozenset[int]:
        """Return the values of a node and quantity from `begin` to `end` (the same moment unless given)."""
        first, last = moment_ms(begin, 0), moment_ms(end or begin, 0)
        return self.where(
            lambda place, row: (
                first <= self.times[place] <= last and row.node == node and quantity in (ANY, row.quantity)
            )
        )

    def where(self, holds: Callable[[int, Judged], bool]) -> frozenset[int]:
        """Return the values for which something holds."""
        return frozenset(place for place, row in enumerate(self.rows) if holds(place, row))

    def above(self, part: str, whole: str) -> frozenset[int]:
        """Return the values of two quantities of one moment of which the part exceeds the whole."""
        moments: dict[tuple[str, int], dict[str, tuple[int, float]]] = defaultdict(dict)
        for place, row in enumerate(self.rows):
            if row.quantity in (part, whole) and row.text:
                moments[row.node, self.times[place]][row.quantity] = (place, float(row.text))
        return frozenset(
            place
            for both in moments.values()
            if len(both) == 2 and both[part][1] > both[whole][1]
            for place, _ in both.values()
        )


def fault(label: str, places: Iterable[int], tests: str, every: bool = True) -> Fault:
    """Return a fault; `tests` is their names, joined by spaces."""
    return Fault(label, frozenset(places), frozenset(tests.split()), every)


def kotzebue(at: Finder) -> list[Fault]:
    """Faults of the tide gauge."""
    return [
        fault(
            "plateau of ten samples at 4.15 m",
            at.within("kotzebue", ANY, "2018-11-24T10:00", "2018-11-24T19:00"),
            "gross_range spike rate_of_change",
        ),
        fault("single spike at 4.12 m", at.within("kotzebue", ANY, "2018-11-26T15:00"), "spike"),
        fault(
            "frozen at 1.0942 m to the end",
            at.within("kotzebue", ANY, "2018-12-14T05:00", "2018-12-31T23:00"),
            "flat_line",
        ),
    ]


def logan(at: Finder) -> list[Fault]:
    """Faults of the river stations."""
    drop = "rate_of_change excursion spike"
    level = "level_m"
    return [
        fault(
            "-9999, the logger's no value", at.where(lambda _, row: row.text in ("-9999", "-99.99")), "sentinel"
        ),
        fault(
            "WaterLab: sensor lifted 2019-01-10 12:30",
            at.within("WaterLab2019", level, "2019-01-10T12:30"),
            drop,
        ),
        fault(
            "WaterLab: sensor lifted 2019-03-28 12:15",
            at.within("WaterLab2019", level, "2019-03-28T12:15"),
            drop,
        ),
        fault(
            "WaterLab: sensor lifted 2019-05-30 12:15, two samples, within the flood's rise",
            at.within("WaterLab2019", level, "2019-05-30T12:15", "2019-05-30T12:30"),
            drop,
        ),
        fault(
            "TonyGrove: ice 2014-11-12 to 11-20",
            at.within("TonyGrove2014", level, "2014-11-12T00:00", "2014-11-20T23:45")
            & at.where(lambda _, row: row.truth == "5"),
            "cross_ice",
        ),
        fault(
            "TonyGrove: ice from 2014-12-21",
            at.within("TonyGrove2014", level, "2014-12-21T00:00", "2014-12-31T23:45")
            & at.where(lambda _, row: row.truth == "5"),
            "cross_ice",
        ),
        fault(
            "Franklin: ice on winter nights",
            at.where(
                lambda _, row: row.node == "FranklinBasin2020" and row.quantity == level and row.truth == "5"
            ),
            "cross_ice",
        ),
    ]


def sds011(at: Finder) -> list[Fault]:
    """Faults of the dust sensors: full scale, and gaps, which show at the first value after them."""
    return [
        fault(
            "5331: one full-scale sample within a true rise",
            at.within("5331", "pm10_ug_m3", "2018-02-05T15:29:20"),
            "saturation",
        ),
        fault(
            "15462: one full-scale sample within an evening of dust",
            at.within("15462", "pm10_ug_m3", "2019-03-06T19:23:45"),
            "saturation",
        ),
        fault(
            "5331: gap of 2 h 54 min",
            at.within("5331", ANY, "2018-01-31T13:24", "2018-01-31T16:20"),
            "gap",
            False,
        ),
        fault(
            "15462: gap from 2019-03-12 20:30",
            at.within("15462", ANY, "2019-03-12T20:31", "2019-03-14T00:00"),
            "gap",
            False,
        ),
        fault(
            "16422: gap of 42 h from 2019-04-12 17:39",
            at.within("16422", ANY, "2019-04-12T17:40", "2019-04-14T12:00"),
            "gap",
            False,
        ),
        fault(
            "16422: gap of nine days",
            at.within("16422", ANY, "2019-04-15T17:56", "2019-04-26T00:00"),
            "gap",
            False,
        ),
        fault(
            "16422: gap of 42 h from 2019-05-08 04:14",
            at.within("16422", ANY, "2019-05-08T04:15", "2019-05-09T23:00"),
            "gap",
            False,
        ),
    ]


def beijing(at: Finder) -> list[Fault]:
    """Faults of the official stations."""
    first, second = "Aotizhongxin", "Tiantan"
    return [
        fault("nothing measured (NA)", at.where(lambda _, row: row.text == ""), "missing"),
        fault(
            "Aotizhongxin: SO2 at 2 for 166 h",
            at.within(first, "so2_ug_m3", "2016-08-15T01:00", "2016-08-21T22:00"),
            "flat_line",
            False,
        ),
        fault(
            "CO at the end of its scale",
            at.where(lambda _, row: row.quantity == "co_mg_m3" and row.text == "10.0"),
            "saturation",
        ),
        fault("PM2.5 above PM10 (1,183 + 1,620 h)", at.above("pm2_5_ug_m3", "pm10_ug_m3"), "cross_total"),
        fault(
            "Tiantan: O3 from 132 to 673 in an hour",
            at.within(second, "o3_ug_m3", "2013-04-08T17:00"),
            "rate_of_change spike",
        ),
    ]


def uci(at: Finder) -> list[Fault]:
    """Faults of the road side."""
    return [
        fault(
            "-200, no value, in any column", at.where(lambda _, row: row.text in ("-200", "-200.0")), "sentinel"
        ),
        fault(
            "NMHC dead from 2004-05-01 on",
            at.within("road", "nmhc_ug_m3", "2004-05-01T01:00", "2004-09-30T23:00"),
            "sentinel",
        ),
    ]


def nab(at: Finder) -> list[Fault]:
    """Labelled anomalies: any value doubted within the window of a label."""
    tests = "gross_range rate_of_change excursion spike flat_line"
    machine, travel = "machine_temperature_system_failure", "TravelTime_387"
    windows = [
        (machine, "2013-12-10T06:25", "2013-12-12T05:35"),
        (machine, "2013-12-15T17:50", "2013-12-17T17:00"),
        (machine, "2014-01-27T14:20", "2014-01-29T13:30"),
        (machine, "2014-02-07T14:55", "2014-02-09T14:05"),
        (travel, "2015-07-27T10:56", "2015-07-31T18:01"),
        (travel, "2015-08-17T11:51", "2015-08-20T01:54"),
        (travel, "2015-08-31T15:44", "2015-09-01T13:06"),
        ("TravelTime_451", "2015-08-09T17:57", "2015-08-12T20:01"),
        ("occupancy_6005", "2015-09-14T17:45", "2015-09-15T17:24"),
        ("speed_6005", "2015-09-16T18:40", "2015-09-17T16:24"),
        ("art_daily_jumpsdown", "2014-04-10T16:15", "2014-04-12T01:45"),
    ]
    found = [
        fault(f"{node}: {begin[:10]}", at.within(node, ANY, begin, end), tests, False)
        for node, begin, end in windows
    ]
    flat = at.within("art_flatline", ANY, "2014-04-01T02:00", "2014-04-15T00:00")
    return [*found, fault("art_flatline rests", flat, "flat_line")]


def pzem(at: Finder) -> list[Fault]:
    """Gaps between the bursts of three meters."""
    return [
        fault(
            f"{node}: gaps of 20 h and 14 h",
            at.within(node, "voltage_v", "2025-08-04T12:00", "2025-08-05T12:00"),
            "gap",
            False,
        )
        for node in ("pzem_usb0", "pzem_usb1", "pzem_usb2")
    ]


def pecos(at: Finder) -> list[Fault]:
    """The written list of faults, of one day and a half."""
    return [
        fault(
            "missing step 02:00",
            at.within("Range1", ANY, "2014-01-01T03:00"),
            "gap",
            False,
        ),
        fault("missing steps 15:00 to 17:00", at.within("Range1", ANY, "2014-01-02T18:00"), "gap", False),
        fault(
            "03:00 and 04:00 again, out of order",
            at.within("Range1", ANY, "2014-01-01T03:00", "2014-01-01T04:00"),
            "order",
            False,
        ),
        fault("18:00 three times", at.within("Range1", ANY, "2014-01-01T18:00"), "order", False),
        fault("10:00 after 11:00", at.within("Range1", ANY, "2014-01-02T10:00"), "order", False),
        fault("20:00 after 23:00", at.within("Range1", ANY, "2014-01-02T20:00"), "order", False),
        fault("corrupt -999", at.where(lambda _, row: row.text == "-999"), "sentinel"),
        fault("missing values", at.where(lambda _, row: row.text == ""), "missing"),
    ]


def ea_day(at: Finder) -> list[Fault]:
    """Disorder of the national telemetry."""
    return [
        fault("two values in one field", at.where(lambda _, row: "|" in row.text), "syntax"),
        fault(
            "a gauge in millimetres taken for metres",
            at.where(
                lambda _, row: row.node.startswith("E72623") and row.text != "" and abs(float(row.text)) > 40
            ),
            "gross_range",
        ),
        fault("2897BTH at -18.5 m", at.where(lambda _, row: row.text == "-18.503"), "gross_range"),
    ]


FAULTS: dict[str, Callable[[Finder], list[Fault]]] = {
    "tide-kotzebue": kotzebue,
    "water-level-logan": logan,
    "air-sds011-aberdeen": sds011,
    "air-beijing": beijing,
    "air-uci-italy": uci,
    "nab-anomaly": nab,
    "power-pzem004t": pzem,
    "known-faults-pecos": pecos,
    "water-level-ea-day": ea_day,
}
"""What is named for each recording; those that are left out have no fault."""
