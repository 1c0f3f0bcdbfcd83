"""Numbers, times and names as a duty officer writes them, in Chinese and in English. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from edge.model.alert import Level
from edge.model.quantities import QUANTITIES, Quantity
from edge.model.units import UNITS

MARKS = {Level.BLUE: "▬", Level.YELLOW: "▲", Level.ORANGE: "✦", Level.RED: "✸"}
"""A shape beside the word, the same as on the wall: a level is never colour alone."""

STAGES = {
    "warning_m": ("警戒水位", "the warning stage"),
    "guaranteed_m": ("保证水位", "the guaranteed stage"),
    "record_m": ("历史最高水位", "the highest on record"),
    "cover_m": ("井口", "the cover"),
}

STATES = {
    "cover_open": (("井盖关闭", "cover closed"), ("井盖开启", "cover open")),
    "door_open": (("门关闭", "door closed"), ("门打开", "door open")),
    "lamp_on": (("灯未亮", "lamp off"), ("灯亮着", "lamp on")),
    "fan_on": (("风机停转", "fan stopped"), ("风机运行", "fan running")),
    "charging": (("未充电", "not charging"), ("充电中", "charging")),
    "occupied": (("车位空闲", "bay free"), ("车位占用", "bay taken")),
}

CLOCKS = {2: ("时钟不可信", "clock not to be trusted"), 3: ("时钟为推算值", "clock only estimated")}
_LARGER = {"W": "kW", "Wh": "kWh"}
_LABEL_CHARACTERS = 60


def pick(pair: tuple[str, str], zh: bool) -> str:
    """Return the Chinese or the English one of two."""
    return pair[0] if zh else pair[1]


def plain(text: str) -> str:
    """Return a name from outside as one short line without control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", " ", text).split())[
        :_LABEL_CHARACTERS
    ]


def uncapitalised(label: str) -> str:
    """Return an English label as it stands within a sentence: `Water level` loses its capital, not `PM2.5`."""
    first = label.split(" ")[0]
    return label[:1].lower() + label[1:] if first[1:].islower() else label


def label(quantity: Quantity, zh: bool) -> str:
    """Return a quantity's name within a sentence."""
    return quantity.label_zh if zh else uncapitalised(quantity.label_en)


def digits(value: float, unit: str, decimals: int) -> int:
    """Return how many decimals are worth reading, as the wall has it: metres keep their centimetres."""
    if unit == "m" or abs(value) < 10:
        return min(decimals, 2)
    return min(decimals, 1 if abs(value) < 1000 else 0)


def number(value: float, places: int) -> str:
    """Return a number with a true minus sign and no minus zero."""
    text = f"{value:.{places}f}"
    return text.lstrip("-") if not any(c in "123456789" for c in text) else text.replace("-", "−")


def amount(
    value: float, name: str, unit: str = "", *, zh: bool, beside: float | None = None, exact: bool = False
) -> str:
    """Return a value with its unit.

    Where `beside` differs but would look the same, more decimals are shown. An `exact` value (a limit, which
    somebody wrote) is shown as written, metres with their centimetres.
    """
    row = QUANTITIES.get(name)
    symbol, decimals = (row.unit, row.decimals) if row and not unit else (unit, 2)
    if row is None and float(value).is_integer():
        decimals = 0
    if symbol == "s":
        return duration(value * 1000.0, zh)
    scale = 1000.0 if symbol in _LARGER and abs(value) >= 1000 else 1.0
    if scale > 1:
        symbol, decimals = _LARGER[symbol], 1
    places = digits(value / scale, symbol, decimals)
    if beside is not None and beside != value:
        most = max(decimals, places)
        apart = (n for n in range(places, most) if number(value / scale, n) != number(beside / scale, n))
        places = next(apart, most)
    text = number(value / scale, places)
    if exact and symbol != "m":
        text = f"{value / scale:.6f}".rstrip("0").rstrip(".").replace("-", "−")
    shown = _display(symbol)
    if not shown or shown == "pH":
        return text
    return f"{text}{'' if shown in ('%', '°', '‰') else ' '}{shown}"


def _display(symbol: str) -> str:
    base, slash, per = symbol.rpartition("/")
    if symbol not in UNITS and slash and base in UNITS:
        return f"{UNITS[base].display}/{per}"
    return UNITS[symbol].display if symbol in UNITS else symbol


def moment(t_ms: int, now_ms: int, zone: tzinfo, zh: bool) -> str:
    """Return a time in the city's zone: the clock; with the date when not today, the year when another."""
    at, now = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in (t_ms, now_ms))
    clock = f"{at:%H:%M}"
    if at.date() == now.date():
        return clock
    same_year = at.year == now.year
    if zh:
        return f"{'' if same_year else f'{at.year} 年 '}{at.month} 月 {at.day} 日 {clock}"
    return f"{at.day} {at:%B}{'' if same_year else f' {at.year}'} {clock}"


def duration(span_ms: float, zh: bool) -> str:
    """Return how long, in the two largest parts that say something."""
    seconds = max(0, round(span_ms / 1000))
    if seconds < 60:
        return f"{seconds} 秒" if zh else f"{seconds} s"
    minutes = seconds // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        tail = (f" {hours} 小时" if zh else f" {hours} h") if hours else ""
        return f"{days} 天{tail}" if zh else f"{days} d{tail}"
    if hours:
        tail = (f" {rest} 分" if zh else f" {rest} min") if rest else ""
        return f"{hours} 小时{tail}" if zh else f"{hours} h{tail}"
    return f"{minutes} 分钟" if zh else f"{minutes} min"


def trend(rate_per_h: float | None, name: str, unit: str = "", *, zh: bool) -> str:
    """Return how fast it changes (`10 分钟上涨 4 cm`), or nothing where that is unknown or too little."""
    row = QUANTITIES.get(name)
    symbol, resolution = (row.unit, row.resolution) if row else (unit, 0.0)
    if rate_per_h is None or symbol in ("", "s", "count"):
        return ""
    up = rate_per_h > 0
    if symbol == "m":
        verb = pick(("上涨" if up else "回落", "up" if up else "down"), zh)
        for minutes in (10, 60):
            centimetres = round(abs(rate_per_h) * 100 * minutes / 60)
            if centimetres:
                window = pick(("10 分钟", "10 minutes") if minutes == 10 else ("1 小时", "an hour"), zh)
                size = f"{centimetres} cm" if centimetres < 100 else f"{abs(rate_per_h) * minutes / 60:.2f} m"
                return f"{window}{verb} {size}" if zh else f"{verb} {size} in {window}"
        return pick(("基本持平", "steady"), zh)
    if abs(rate_per_h) < resolution:
        return ""
    size = amount(abs(rate_per_h), name, unit, zh=zh)
    if not any(c in "123456789" for c in size.split(" ")[0]):
        return ""
    if zh:
        return f"1 小时{'上升' if up else '下降'} {size}"
    return f"{'up' if up else 'down'} {size} in an hour"
