"""The one sentence about an episode: place, value, unit, threshold, trend, forecast, since when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from edge.channels.words import CLOCKS, STAGES, STATES, amount, duration, label, moment, pick, plain, trend
from edge.model.alert import Episode
from edge.model.node import Node
from edge.model.quantities import QUANTITIES

_LOST = {"silence_s", "gateway_lost"}  # quantities and rules of whoever is not heard


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The names that an episode lacks: of place, rule and derived quantity; and the station's stages."""

    place_zh: str
    place_en: str
    rule_zh: str = ""
    rule_en: str = ""
    where_zh: str = ""
    where_en: str = ""
    quantity_zh: str = ""
    quantity_en: str = ""
    unit: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_node(cls, node: Node, rule_label: Mapping[str, str]) -> Subject:
        """Return the names of a registered node under a rule of this label ({"zh", "en"})."""
        return cls(
            place_zh=node.label_zh,
            place_en=node.label_en,
            rule_zh=rule_label.get("zh", ""),
            rule_en=rule_label.get("en", ""),
            stages=getattr(node, "stages", {}) or {},
        )

    @classmethod
    def of_gateway(cls, gateway: str, rule_label: Mapping[str, str]) -> Subject:
        """Return the names of a gateway."""
        rule_zh, rule_en = rule_label.get("zh", ""), rule_label.get("en", "")
        return cls(place_zh=f"网关 {gateway}", place_en=f"Gateway {gateway}", rule_zh=rule_zh, rule_en=rule_en)


def sentence(episode: Episode, subject: Subject, zone: tzinfo, now_ms: int, zh: bool, *, also: str = "") -> str:
    """Return the sentence; `also` stands between what is the matter and since when."""
    since = moment(episode.start_ms, now_ms, zone, zh)
    parts = [
        _what(episode, subject, zh),
        _threshold(episode, subject, zh),
        _trend(episode, subject, zh),
        _forecast(episode, subject, zh),
        also,
        pick((f"自 {since} 起", f"since {since}"), zh),
    ]
    place = plain(subject.place_zh if zh else subject.place_en)
    glue = pick(("：", ": "), zh)
    if _is_lost(episode):
        glue = "" if zh and not place[-1:].isascii() else " "
    return f"{place}{glue}{pick(('，', ', '), zh).join(part for part in parts if part)}"


def what_ended(episode: Episode, subject: Subject, zone: tzinfo, now_ms: int, zh: bool) -> str:
    """Return how an episode ended: back to what, how long it lasted, how bad it was."""
    place = plain(subject.place_zh if zh else subject.place_en)
    lasted = duration((episode.end_ms or now_ms) - episode.start_ms, zh)
    after = pick((f"历时 {lasted}", f"after {lasted}"), zh)
    if _is_lost(episode):
        return pick((f"{place}：通信恢复，失联 {lasted}", f"{place} is heard again, silent for {lasted}"), zh)
    parts = [pick(("恢复正常", "back to normal"), zh), after]
    if episode.value is not None and not _is_signal(episode.quantity) and episode.quantity not in STATES:
        name, shown = _name(episode, subject, zh), amount(episode.value, episode.quantity, subject.unit, zh=zh)
        rising = _rises(episode)
        verb = pick(("回落至" if rising else "回升至", "back to"), zh)
        parts[0] = f"{name}{verb} {shown}" if zh else f"{name} {verb} {shown}"
        if episode.peak is not None:
            peak = amount(episode.peak, episode.quantity, subject.unit, zh=zh)
            when = moment(episode.peak_ms, now_ms, zone, zh)
            far = pick(("最高" if rising else "最低", "peak" if rising else "lowest"), zh)
            parts.append(f"{far} {peak}（{when}）" if zh else f"{far} {peak} at {when}")
    parts.append(pick((f"曾达{episode.highest.label_zh}色", f"highest level {episode.highest.word}"), zh))
    head = pick((f"{place}：", f"{place}: "), zh)
    if zh:
        return head + "，".join(parts)
    return f"{head}{parts[0]} {', '.join(parts[1:])}"


def _is_lost(episode: Episode) -> bool:
    return episode.quantity in _LOST or episode.rule in _LOST


def _is_signal(quantity: str) -> bool:
    return quantity in ("silence_s", "doubt_s", "clock_qc")


def _rises(episode: Episode) -> bool:
    """Whether the rule watches for too much: its peak lies on that side of its threshold."""
    far = episode.peak if episode.peak is not None else episode.value
    return far is None or episode.threshold is None or far >= episode.threshold


def _name(episode: Episode, subject: Subject, zh: bool) -> str:
    given = subject.quantity_zh if zh else subject.quantity_en
    row = QUANTITIES.get(episode.quantity)
    if given or row is None:
        return plain(given or (subject.rule_zh if zh else subject.rule_en) or episode.quantity)
    return label(row, zh)


def _what(episode: Episode, subject: Subject, zh: bool) -> str:
    value, quantity = episode.value, episode.quantity
    if _is_lost(episode):
        return pick(("失联", "is silent"), zh)
    if quantity == "doubt_s":
        span = f" {duration(value * 1000, zh)}" if value is not None else ""
        return pick((f"数据存疑已{span}", f"readings doubtful for{span}"), zh)
    if quantity == "clock_qc":
        return pick(CLOCKS.get(int(value or 0), CLOCKS[2]), zh)
    if value is None:
        return f"{_name(episode, subject, zh)}{pick((' 无数据', ': no data'), zh)}"
    if quantity in STATES:
        return pick(STATES[quantity][value >= 0.5], zh)
    shown = amount(value, quantity, subject.unit, zh=zh, beside=episode.threshold)
    return f"{_name(episode, subject, zh)} {shown}"


def _threshold(episode: Episode, subject: Subject, zh: bool) -> str:
    limit, value, quantity = episode.threshold, episode.value, episode.quantity
    if limit is None or value is None or _is_lost(episode) or _is_signal(quantity) or quantity in STATES:
        return ""
    shown = amount(limit, quantity, subject.unit, zh=zh, exact=True)
    stage = next(
        (pick(STAGES[key], zh) for key, at in subject.stages.items() if key in STAGES and at == limit), ""
    )
    rising = _rises(episode)
    name = stage or pick(("限值", "the limit"), zh)
    if (value < limit) if rising else (value > limit):  # it has turned, yet not far enough to be over
        return pick(
            (
                f"曾{'超' if rising else '低于'}{name} {shown}",
                f"was {'over' if rising else 'under'} {name} of {shown}",
            ),
            zh,
        )
    if value == limit:
        return pick((f"达到{name}" if stage else f"达到{name} {shown}", f"at {name}"), zh)
    passed = pick(
        (f"{'超' if rising else '低于'}{name} {shown}", f"{'over' if rising else 'under'} {name} of {shown}"),
        zh,
    )
    return passed if stage or not rising else passed + _still_to_go(value, quantity, subject, zh)


def _still_to_go(value: float, quantity: str, subject: Subject, zh: bool) -> str:
    """How far the next stage is, where the threshold itself is none (a blue level near the warning stage)."""
    above = sorted((at, key) for key, at in subject.stages.items() if key in STAGES and at > value)
    if not above or quantity != "level_m":
        return ""
    at, key = above[0]
    gap = round((at - value) * 100)
    return pick(
        (f"，距{STAGES[key][0]} {at:.2f} m 还差 {gap} cm", f", {gap} cm below {STAGES[key][1]} of {at:.2f} m"),
        zh,
    )


def _trend(episode: Episode, subject: Subject, zh: bool) -> str:
    if _is_lost(episode) or _is_signal(episode.quantity) or episode.quantity in STATES:
        return ""
    return trend(episode.rate_per_h, episode.quantity, subject.unit, zh=zh)


def _forecast(episode: Episode, subject: Subject, zh: bool) -> str:
    note = episode.note or {}
    if "reaches_min" not in note:
        return ""
    stage = note.get("stage_m")
    name = next(
        (pick(STAGES[key], zh) for key, at in subject.stages.items() if key in STAGES and at == stage),
        pick(("警戒线", "the threshold"), zh),
    )
    shown = f" {stage:.2f} m" if stage is not None else ""
    span = duration(note["reaches_min"] * 60_000, zh)
    return pick(
        (f"预计 {span}后达{name}{shown}", f"expected to reach {name}{' of' if shown else ''}{shown} in {span}"),
        zh,
    )
