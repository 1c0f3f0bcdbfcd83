"""A recorded series with its episodes as a page that needs nothing else: SVG, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import ceil, floor, log10
from zoneinfo import ZoneInfo

from edge.model.alert import Episode, Level
from edge.model.kinds import KINDS
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES
from edge.model.units import UNITS
from edge.quality.limits import Overrides
from edge.rules.backtest import Judged, Recorded, judged
from edge.rules.rule import Rule

WIDTH, HEIGHT = 1160, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 44, 34
STYLE = """
:root { --paper: #fff; --ink: #1c2530; --soft: #66717f; --grid: #e6eaef; --line: #24425f; --bad: #b9a5a5;
  --blue: #2f6fde; --yellow: #d9a400; --orange: #ec7a08; --red: #d3232f; }
@media (prefers-color-scheme: dark) { :root { --paper: #11161c; --ink: #e4e9ef; --soft: #93a0ae;
  --grid: #242d37; --line: #a9c8e8; --bad: #6f5f5f;
  --blue: #5b93f5; --yellow: #f0c02e; --orange: #ff9a3c; --red: #ff5a5f; } }
body { margin: 24px auto; max-width: 1180px; padding: 0 10px; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 20px; font-weight: 600; margin: 0 0 2px; } p { margin: 0 0 18px; color: var(--soft); }
svg { display: block; width: 100%; height: auto; margin: 0 0 18px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); } td, th { padding: 5px 14px 5px 0; }
tr + tr td { border-top: 1px solid var(--grid); }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 5px; margin-right: 7px; }
"""
SVG_STYLE = """
text { font: 12px system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; fill: var(--soft, #66717f); }
.title { font-size: 14px; font-weight: 600; fill: var(--ink, #1c2530); } .end { text-anchor: end; }
.middle { text-anchor: middle; } .grid { stroke: var(--grid, #e6eaef); }
.series { fill: none; stroke: var(--line, #24425f); stroke-width: 1.4; stroke-linejoin: round; }
.doubt { stroke: var(--bad, #b9a5a5); stroke-width: 1.2; } .limit { stroke-dasharray: 5 4; stroke-width: 1.1; }
.tag { font-weight: 600; font-size: 11px; }
""" + "".join(
    f".{name} {{ stroke: var(--{name}, {colour}); }}"
    f".fill-{name} {{ fill: var(--{name}, {colour}); stroke: none; }}\n"
    for name, colour in (("blue", "#2f6fde"), ("yellow", "#d9a400"), ("orange", "#ec7a08"), ("red", "#d3232f"))
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of one node, in the pixels of its picture."""

    begin_ms: int
    end_ms: int
    low: float
    high: float

    def x(self, t_ms: int) -> float:
        """Return where a time stands."""
        share = (t_ms - self.begin_ms) / max(1, self.end_ms - self.begin_ms)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return where a value stands."""
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def draw(
    rules: Sequence[Rule],
    recorded: Mapping[str, Recorded],
    episodes: Sequence[Episode],
    checks: Overrides | None,
    *,
    whole: bool = True,
    zone: str = "Asia/Shanghai",
) -> str:
    """Return a page (or, where not `whole`, its picture alone) of all series that rules look at."""
    readings = judged(recorded, checks)
    if not readings:
        return ""
    span = (readings[0].t_ms, readings[-1].t_ms)
    own: dict[str, list[Judged]] = {}
    for reading in readings:
        own.setdefault(reading.node, []).append(reading)
    shown = _shown(rules, recorded, episodes)
    pictures = [
        _picture(rules, recorded[node], own.get(node, []), quantity, found, span, ZoneInfo(zone))
        for (node, quantity), found in shown.items()
    ]
    if not whole:
        return _stacked(pictures)
    body = "".join(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{one}</svg>' for one in pictures)
    plural = "episode" if len(episodes) == 1 else "episodes"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{len(episodes)} {plural}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{SVG_STYLE}</style>'
        f"<h1>{len(episodes)} {plural} · {len(episodes)} 次事件</h1>"
        f"<p>{_when(span[0], zone)} – {_when(span[1], zone)}, times in {escape(zone)};"
        " ticks below a series mark values that do not count</p>"
        f"{body}{_listed(episodes, zone)}</html>\n"
    )


def _stacked(pictures: Sequence[str]) -> str:
    rows = "".join(f'<g transform="translate(0 {k * HEIGHT})">{one}</g>' for k, one in enumerate(pictures))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT * len(pictures)}">'
        f'<style>{SVG_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{rows}</svg>\n'
    )


def _shown(
    rules: Sequence[Rule], recorded: Mapping[str, Recorded], episodes: Sequence[Episode]
) -> dict[tuple[str, str], list[Episode]]:
    """Return what gets a panel: what a rule watches; episodes of signals and indices go with the headline."""
    found: dict[tuple[str, str], list[Episode]] = {}
    for node, one in recorded.items():
        watched = {rule.quantity for rule in rules if rule.covers(one.node)}
        for quantity in one.quantities:
            if quantity in watched:
                found[node, quantity] = []
        headline = KINDS[one.node.kind].headline if one.node.kind in KINDS else ""
        first = headline if headline in one.quantities else one.quantities[0]
        for episode in episodes:
            if episode.node == node:
                place = (node, episode.quantity if episode.quantity in one.quantities else first)
                found.setdefault(place, []).append(episode)
    return found


def _picture(
    rules: Sequence[Rule],
    one: Recorded,
    readings: Sequence[Judged],
    quantity: str,
    episodes: Sequence[Episode],
    span: tuple[int, int],
    zone: ZoneInfo,
) -> str:
    index = one.quantities.index(quantity)
    good, doubted = [], []
    for reading in readings:
        value = reading.values[index]
        if value is not None and reading.flags[index] <= Flag.NOT_EVALUATED:
            good.append((reading.t_ms, value))
        elif value is not None:
            doubted.append(reading.t_ms)
    if not good:
        return ""
    limits = _limits(rules, one, quantity)
    panel = _panel(span, [value for _, value in good], [limit for limit, _ in limits])
    parts = [_title(one, quantity), _axes(panel, zone), *(_band(panel, episode) for episode in episodes)]
    parts += [_limit(panel, value, level) for value, level in limits if panel.low <= value <= panel.high]
    parts.append(f'<path class="series" d="{_path(panel, good, one.period_s)}"/>')
    base = HEIGHT - BOTTOM
    for x in sorted({round(panel.x(t_ms)) for t_ms in doubted}):
        parts.append(f'<path class="doubt" d="M{x} {base - 7}V{base}"/>')
    parts += [_tag(panel, episode, row) for row, episode in enumerate(episodes)]
    return "".join(parts)


def _limits(rules: Sequence[Rule], one: Recorded, quantity: str) -> list[tuple[float, Level]]:
    found = {}
    for rule in rules:
        if rule.quantity == quantity and rule.derive is None and rule.covers(one.node):
            for step in rule.steps:
                enter = step.enter.at(one.node.stages, one.period_s)
                if enter is not None:
                    found[enter] = step.level
    return sorted(found.items())


def _panel(span: tuple[int, int], values: Sequence[float], limits: Sequence[float]) -> Panel:
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0
    near = [limit for limit in limits if low - room <= limit <= high + room]
    low, high = min([low, *near]), max([high, *near])
    margin = ((high - low) or 1.0) * 0.06
    return Panel(*span, low - margin, high + margin)


def _path(panel: Panel, points: Sequence[tuple[int, float]], period_s: float) -> str:
    """Return the line: of each column of pixels its first, lowest, highest and last point; broken at gaps."""
    gap_ms = 10_000 * period_s
    columns: list[list[tuple[int, float]]] = []
    last_x = None
    for point in points:
        x = round(panel.x(point[0]))
        if x != last_x:
            columns.append([])
            last_x = x
        columns[-1].append(point)
    drawn: list[str] = []
    before: int | None = None
    for column in columns:
        pen = "M" if before is None or column[0][0] - before > gap_ms else "L"
        ends = {column[0], column[-1], min(column, key=_value), max(column, key=_value)}
        for t_ms, value in sorted(ends):
            drawn.append(f"{pen}{panel.x(t_ms):.1f} {panel.y(value):.1f}")
            pen = "L"
        before = column[-1][0]
    return "".join(drawn)


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _title(one: Recorded, quantity: str) -> str:
    row = QUANTITIES.get(quantity)
    if row is None:
        what = quantity
    else:
        names = dict.fromkeys((row.label_en, row.label_zh))
        what = f"{' '.join(names)}, {UNITS[row.unit].display or row.unit}"
    return f'<text class="title" x="{LEFT}" y="18">{escape(one.node.id)} · {escape(what)}</text>'


def _axes(panel: Panel, zone: ZoneInfo) -> str:
    parts = []
    for value in _steps(panel.low, panel.high):
        y = panel.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{value:g}</text>')
    for t_ms, text in _times(panel.begin_ms, panel.end_ms, zone):
        x = panel.x(t_ms)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="middle" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}">{text}</text>')
    return "".join(parts)


def _steps(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    size = 10.0 ** floor(log10(rough))
    size *= next(k for k in (1, 2, 5, 10) if k * size >= rough)
    return [round(k * size, 10) for k in range(ceil(low / size), floor(high / size) + 1)]


def _times(begin_ms: int, end_ms: int, zone: ZoneInfo) -> list[tuple[int, str]]:
    minutes = (end_ms - begin_ms) / 60_000
    sizes = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 43200, 86400)
    size = next((k for k in sizes if minutes / k <= 12), 172_800)
    begin = datetime.fromtimestamp(begin_ms / 1000, zone)
    at = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while (t_ms := int(at.timestamp() * 1000)) <= end_ms:
        if t_ms >= begin_ms:
            found.append((t_ms, f"{at:%H:%M}" if size < 1440 and at.hour + at.minute else f"{at:%m-%d}"))
        at += timedelta(minutes=size)
    return found


def _band(panel: Panel, episode: Episode) -> str:
    begin, end = panel.x(episode.start_ms), panel.x(episode.end_ms or panel.end_ms)
    word = episode.highest.word
    return (
        f'<rect class="fill-{word}" opacity=".16" x="{begin:.1f}" y="{TOP}" width="{max(2.0, end - begin):.1f}"'
        f' height="{HEIGHT - TOP - BOTTOM}"><title>{escape(_summary(episode))}</title></rect>'
        f'<path class="{word}" stroke-width="2" d="M{begin:.1f} {TOP}H{max(begin + 2, end):.1f}"/>'
    )


def _tag(panel: Panel, episode: Episode, row: int) -> str:
    if row > 40:
        return ""
    x = panel.x(episode.start_ms)
    side = "end" if x > WIDTH - 220 else "start"
    y = TOP - 8 - (row % 2) * 13 if row else TOP - 6
    return (
        f'<text class="tag fill-{episode.highest.word}" x="{x:.1f}" y="{y}" text-anchor="{side}"'
        f' style="text-anchor:{side}">{escape(episode.rule)}</text>'
    )


def _limit(panel: Panel, value: float, level: Level) -> str:
    y = panel.y(value)
    return (
        f'<path class="limit {level.word}" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="end tag fill-{level.word}" x="{WIDTH - RIGHT - 4}" y="{y - 4:.1f}">'
        f"{level.label_zh} {value:g}</text>"
    )


def _summary(episode: Episode) -> str:
    peak = "" if episode.peak is None else f", peak {episode.peak:g}"
    return f"{episode.rule}: {episode.highest.word}{peak}"


def _listed(episodes: Sequence[Episode], zone: str) -> str:
    if not episodes:
        return ""
    rows = []
    for one in episodes:
        word = one.highest.word
        cells = (
            f'<span class="dot" style="background:var(--{word})"></span>{escape(one.rule)}',
            escape(one.node), escape(one.quantity), f"{word} {one.highest.label_zh}", _when(one.start_ms, zone),
            "open" if one.end_ms is None else _when(one.end_ms, zone),
            "" if one.peak is None else f"{one.peak:.6g}", _when(one.peak_ms, zone),
        )  # fmt: skip
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("rule", "node", "quantity", "highest", "start", "end", "peak", "at")
    return "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>" + "".join(rows) + "</table>"


def _when(t_ms: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(t_ms / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M}"
