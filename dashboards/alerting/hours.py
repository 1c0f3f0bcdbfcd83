"""When nobody is told: the hours outside a rule's schedule, and the quiet hours of what is mild."""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.alerting.ask import Unsayable
from dashboards.panels import Json
from edge.rules.schedule import Schedule

QUIET = Schedule(begin_min=22 * 60, end_min=7 * 60, days=frozenset(range(7)), zone="Asia/Shanghai")
QUIET_HOURS = "quiet-hours"


def hours_of(schedule: Schedule) -> str:
    """Return the label of a schedule, such as 1000-1500; the same every day, or it cannot be said."""
    if len(schedule.days) < 7:
        raise Unsayable(
            "days of the week: a night would be cut at midnight", "限定星期：跨夜时段会在零点被截断"
        )
    return f"{_clock(schedule.begin_min)}-{_clock(schedule.end_min)}".replace(":", "")


def outside(hours: str) -> str:
    """Return the name of the mute timing outside these hours."""
    return f"outside-{hours}"


def mute_timings(schedules: Iterable[Schedule]) -> list[Json]:
    """Return the mute timings: the quiet hours, and the hours outside each schedule."""
    found = {QUIET_HOURS: _interval(QUIET.begin_min, QUIET.end_min, QUIET.zone)}
    for schedule in schedules:
        name = outside(hours_of(schedule))
        found[name] = _interval(schedule.end_min, schedule.begin_min, schedule.zone)
    return [
        {"orgId": 1, "name": name, "time_intervals": [interval]} for name, interval in sorted(found.items())
    ]


def _interval(begin_min: int, end_min: int, zone: str) -> Json:
    """A span of every day; over midnight it is two. No weekdays: `monday:sunday` is refused."""
    begin, end = begin_min % 1440, end_min % 1440 or 1440
    spans = [(begin, end)] if begin < end else [(0, end), (begin, 1440)]
    return {
        "times": [{"start_time": _clock(first), "end_time": _clock(last)} for first, last in spans],
        "location": zone,
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
