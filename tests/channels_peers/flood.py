"""One flood at one station, told to tests: the episode, its place, and the styles."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.channels.compose import Style, compose_alert
from edge.channels.message import Language, Message
from edge.channels.sentence import Subject
from edge.model.alert import Episode, Level

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE_MS = 60_000
LINK = "https://wall.example/alerts/7"


def at(day: int, hour: int, minute: int, month: int = 6, year: int = 2026) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=SHANGHAI).timestamp() * 1000)


START = at(8, 19, 31)
NOW = at(8, 19, 42)
FLOOD = Episode(
    rule="river_stage",
    node="ys-07",
    start_ms=START,
    quantity="level_m",
    level=Level.ORANGE,
    highest=Level.ORANGE,
    value=3.12,
    peak=3.12,
    peak_ms=NOW,
    updated_ms=NOW,
    threshold=3.0,
    rate_per_h=0.24,
)
HARBOUR = Subject(
    place_zh="杨浦港水位站",
    place_en="Yangpu Harbour",
    stages={"warning_m": 2.8, "guaranteed_m": 3.0, "record_m": 3.4},
)
ZH, EN, BOTH = (Style(zone=SHANGHAI, language=language) for language in Language)


def alert(style: Style, subject: Subject = HARBOUR, now_ms: int = NOW, **changes: object) -> Message:
    return compose_alert(replace(FLOOD, **changes), subject, style, now_ms=now_ms, url=LINK)  # type: ignore[arg-type]
