"""The one sentence about an episode: place, value, unit, threshold, trend, forecast, since when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from edge.channels.derived import derived_name
from edge.channels.threshold import forecast, passed, pollutant
from edge.channels.words import CLOCKS, STATES, amount, duration, label, moment, pick, plain, trend
from edge.model.alert import Episode
from edge.model.node import Node
from edge.model.quantities import QUANTITIES
from edge.rules.rule import Rule

_LOST = {"silence_s", "gateway_lost"}  # quantities and rules of whoever is not heard


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The names that an episode lacks: of place, rule and derived quantity; and the station's stages.

    unit: where it is not the quantity's own. below: whether the rule watches for too little, None if unknown.
    """

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
    below: bool | None = None

    @classmethod
    def of(cls, episode: Episode, node: Node | None, rule: Rule | None) -> Subject:
        """Return all that is known of where an episode is and of what found it."""
        ident = episode.node
        place_zh, place_en = (node.label_zh, node.label_en) if node else (ident, ident)
        if rule.kinds == ("gateway",) if rule else episode.rule in _LOST:
            place_zh, place_en = f"网关 {place_zh}", f"Gateway {place_en}"
        stages = node.stages if node else {}
        if rule is None:
            return cls(place_zh=place_zh, place_en=place_en, stages=stages)
        own = QUANTITIES.get(rule.quantity)
        forecast = rule.derive is not None and rule.derive.form == "forecast"
        return cls(
            place_zh=place_zh,
            place_en=place_en,
            rule_zh=rule.label_zh,
            rule_en=rule.label_en,
            quantity_zh=derived_name(rule, zh=True),
            quantity_en=derived_name(rule, zh=False),
            unit=rule.unit if rule.derive and not forecast and (own is None or rule.unit != own.unit) else "",
            stages=stages,
            below=False if forecast else rule.below,
        )

    @classmethod
    def of_node(cls, node: Node, rule_label: Mapping[str, str]) -> Subject:
        """Return the names of a registered node under a rule of this label ({"zh", "en"})."""
        return cls(
            place_zh=node.label_zh,
            place_en=node.label_en,
            rule_zh=rule_label.get("zh", ""),
            rule_en=rule_label.get("en", ""),
            stages=node.stages,
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
        _noted(episode, subject, zh),
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
        rising = _rises(episode, subject)
        verb = pick(("回落至" if rising else "回升至", "back to"), zh)
        parts[0] = f"{name}{verb} {shown}" if zh else f"{name} {verb} {shown}"
        if _is_forecast(episode):
            parts[0] = f"{name} {shown}"
        elif episode.peak is not None:
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


def _is_forecast(episode: Episode) -> bool:
    return "reaches_min" in (episode.note or {})


def _is_signal(quantity: str) -> bool:
    return quantity in ("silence_s", "doubt_s", "clock_qc")


def _rises(episode: Episode, subject: Subject) -> bool:
    """Whether the rule watches for too much: its peak lies on that side of its threshold."""
    if subject.below is not None:
        return not subject.below
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
        return f"{_name(episode, subject, zh)}{pick(('无数据', ': no data'), zh)}"
    if quantity in STATES:
        return pick(STATES[quantity][value >= 0.5], zh)
    shown = amount(value, quantity, subject.unit, zh=zh, beside=episode.threshold)
    return f"{_name(episode, subject, zh)} {shown}"


def _threshold(episode: Episode, subject: Subject, zh: bool) -> str:
    limit, value, quantity = episode.threshold, episode.value, episode.quantity
    if limit is None or value is None or _is_lost(episode) or _is_signal(quantity) or quantity in STATES:
        return ""
    if _is_forecast(episode):  # its threshold is minutes
        return ""
    stages = {} if subject.quantity_zh else subject.stages
    return passed(value, limit, quantity, subject.unit, stages, _rises(episode, subject), zh)


def _trend(episode: Episode, subject: Subject, zh: bool) -> str:
    if _is_lost(episode) or _is_signal(episode.quantity) or episode.quantity in STATES:
        return ""
    if subject.quantity_zh and not _is_forecast(episode):
        return ""  # how fast a mean or a rate changes says little
    return trend(episode.rate_per_h, episode.quantity, subject.unit, zh=zh)


def _noted(episode: Episode, subject: Subject, zh: bool) -> str:
    note = episode.note or {}
    return forecast(note, subject.stages, zh) if _is_forecast(episode) else pollutant(note, zh)
