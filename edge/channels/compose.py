"""From an episode to the words that are sent: one sentence as a colleague would write it, then what helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256
from typing import Any

from edge.channels.message import Language, Message, Occasion
from edge.channels.sentence import Subject, sentence, what_ended
from edge.channels.words import MARKS, duration, moment, pick, plain
from edge.model.alert import Episode, Level


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How to write: the channel's language, the city's time zone, and its name for test messages."""

    zone: tzinfo
    language: Language = Language.ZH
    city_zh: str = "城市神经元"
    city_en: str = "City Neuron"


@dataclass(frozen=True, slots=True)
class _Part:
    """A message in one language."""

    title: str
    lines: tuple[str, ...] = ()


def compose_alert(
    episode: Episode,
    subject: Subject,
    style: Style,
    *,
    now_ms: int,
    url: str = "",
    risen_from: Level | None = None,
) -> Message:
    """Say that an episode opened, or that it rose to a higher level (`risen_from` is the one before)."""

    def part(zh: bool) -> _Part:
        rose = (
            pick((f"，由{_colour(risen_from, zh)}升级", f", up from {risen_from.word}"), zh)
            if risen_from
            else ""
        )
        head = _head(episode.level, zh, rose)
        return _Part(
            f"{head}{sentence(episode, subject, style.zone, now_ms, zh)}", _beside(episode, subject, zh)
        )

    occasion = Occasion.ROSE if risen_from else Occasion.OPENED
    return _message(
        occasion, episode.level, part, style, now_ms, url, _key(episode, occasion), _facts(episode, subject)
    )


def compose_group(
    cause: Episode,
    subject: Subject,
    style: Style,
    *,
    nodes: int,
    now_ms: int,
    url: str = "",
    risen_from: Level | None = None,
) -> Message:
    """Say the cause once, for all that follows from it: `网关 gw-07 失联，影响 212 个节点`."""

    def part(zh: bool) -> _Part:
        rose = (
            pick((f"，由{_colour(risen_from, zh)}升级", f", up from {risen_from.word}"), zh)
            if risen_from
            else ""
        )
        plural = "node" if nodes == 1 else "nodes"
        affected = pick((f"影响 {nodes} 个节点", f"{nodes} {plural} affected"), zh)
        said = sentence(cause, subject, style.zone, now_ms, zh, also=affected)
        return _Part(f"{_head(cause.level, zh, rose)}{said}", _beside(cause, subject, zh))

    facts = {**_facts(cause, subject), "affected_nodes": nodes}
    return _message(Occasion.GROUP, cause.level, part, style, now_ms, url, _key(cause, Occasion.GROUP), facts)


def compose_unacknowledged(
    episode: Episode,
    subject: Subject,
    style: Style,
    *,
    waited_ms: int,
    now_ms: int,
    url: str = "",
    round_: int = 1,
) -> Message:
    """Say that nobody has acknowledged; `round_` counts how often that was said, each a message of its own."""

    def part(zh: bool) -> _Part:
        head = _head(episode.level, zh, pick(("，无人确认", ", unacknowledged"), zh))
        said = sentence(episode, subject, style.zone, now_ms, zh)
        span = duration(waited_ms, zh)
        ask = pick(
            (f"已 {span}无人确认，请立即处置。", f"Nobody has acknowledged for {span}. Please act now."), zh
        )
        return _Part(f"{head}{said}", (ask, *_beside(episode, subject, zh)))

    occasion = Occasion.UNACKNOWLEDGED
    key, facts = f"{_key(episode, occasion)}/{round_}", {**_facts(episode, subject), "waited_ms": waited_ms}
    return _message(occasion, episode.level, part, style, now_ms, url, key, facts)


def compose_resolved(
    episode: Episode, subject: Subject, style: Style, *, now_ms: int, url: str = ""
) -> Message:
    """Say in one quiet line that it is over: back to what, how long, how bad."""

    def part(zh: bool) -> _Part:
        return _Part(
            pick(("✓【解除】", "✓ [Resolved] "), zh) + what_ended(episode, subject, style.zone, now_ms, zh)
        )

    occasion = Occasion.RESOLVED
    return _message(
        occasion, episode.highest, part, style, now_ms, url, _key(episode, occasion), _facts(episode, subject)
    )


def compose_digest(
    items: Sequence[tuple[Episode, Subject]],
    style: Style,
    *,
    now_ms: int,
    url: str = "",
    title: Mapping[str, str] | None = None,
) -> Message:
    """Say several at once, the worst first, a line each. `title` replaces what stands in the brackets."""
    ranked = sorted(items, key=lambda item: (-item[0].level, item[0].start_ms))
    counts = Counter(episode.level for episode, _ in ranked)

    def part(zh: bool) -> _Part:
        levels = sorted(counts, reverse=True)
        listed = pick(("、", ", "), zh).join(
            f"{_colour(level, zh, short=True)} {counts[level]}" for level in levels
        )
        name = (title or {"zh": "预警汇总", "en": "Alert digest"})["zh" if zh else "en"]
        head = pick(
            (f"【{name}】共 {len(ranked)} 起：{listed}", f"[{name}] {len(ranked)} alerts: {listed}"), zh
        )
        rows = (
            f"{_head(episode.level, zh, short=True)}{sentence(episode, subject, style.zone, now_ms, zh)}"
            for episode, subject in ranked
        )
        return _Part(head, tuple(rows))

    names = "\n".join(f"{_key(episode, Occasion.DIGEST)}/{episode.revision}" for episode, _ in ranked)
    key = f"digest/{sha256(names.encode()).hexdigest()[:24]}"
    worst = ranked[0][0].level if ranked else Level.BLUE
    facts = {"episodes": [_facts(episode, subject) for episode, subject in ranked]}
    return _message(Occasion.DIGEST, worst, part, style, now_ms, url, key, facts)


def compose_test(channel: str, style: Style, *, now_ms: int, url: str = "") -> Message:
    """Say that the channel works and that nothing happened."""

    def part(zh: bool) -> _Part:
        clock = moment(now_ms, now_ms, style.zone, zh)
        if zh:
            return _Part(
                f"【测试】{style.city_zh}：通道“{channel}”可用（{clock}）", ("这是测试消息，无需处置。",)
            )
        return _Part(
            f"[Test] {style.city_en}: channel “{channel}” works ({clock})",
            ("Nothing happened; no action needed.",),
        )

    return _message(Occasion.TEST, None, part, style, now_ms, url, f"test/{plain(channel)}/{now_ms}", {})


def _message(
    occasion: Occasion,
    level: Level | None,
    part: Any,
    style: Style,
    now_ms: int,
    url: str,
    key: str,
    facts: Mapping[str, Any],
) -> Message:
    first = part(style.language is not Language.EN)
    lines = first.lines
    if style.language is Language.BOTH:
        second = part(False)
        lines = (*first.lines, second.title, *second.lines)
    return Message(
        key=key, occasion=occasion, level=level, title=first.title, lines=lines, url=url, time_ms=now_ms,
        language=style.language, facts=facts,
    )  # fmt: skip


def _colour(level: Level, zh: bool, short: bool = False) -> str:
    return f"{level.label_zh}{'' if short else '色'}" if zh else level.word


def _head(level: Level, zh: bool, more: str = "", short: bool = False) -> str:
    mark = MARKS[level]
    if short:
        return pick((f"{mark} {level.label_zh} ", f"{mark} {level.word.capitalize()}: "), zh)
    return pick((f"{mark}【{level.label_zh}色预警{more}】", f"{mark} [{level.word.upper()} ALERT{more}] "), zh)


def _beside(episode: Episode, subject: Subject, zh: bool) -> tuple[str, ...]:
    """Where it is, and which rule found it: what the sentence does not say."""
    where, rule = (subject.where_zh, subject.rule_zh) if zh else (subject.where_en, subject.rule_en)
    lines = []
    if where:
        lines.append(pick((f"位置：{plain(where)}", f"Place: {plain(where)}"), zh))
    if rule:
        lines.append(pick((f"规则：{plain(rule)}", f"Rule: {plain(rule)}"), zh))
    return tuple(lines)


def _key(episode: Episode, occasion: Occasion) -> str:
    return f"{episode.rule}/{episode.node}/{episode.start_ms}/{occasion}/{episode.level.word}"


def _facts(episode: Episode, subject: Subject) -> dict[str, Any]:
    label = {"zh": subject.place_zh, "en": subject.place_en}
    return {
        "episode": episode.to_dict(),
        "place": label,
        "rule": {"zh": subject.rule_zh, "en": subject.rule_en},
    }
