"""From a notice to the message that is sent: the channels know how to say one alert, this says which ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from cloud.alerts.alert import Alert
from cloud.alerts.escalate import told_since_ms
from cloud.alerts.facts import LOST, Labels
from cloud.alerts.notice import Notice, Reason
from edge.channels import Language, Message
from edge.channels.compose import (
    Style,
    compose_alert,
    compose_digest,
    compose_group,
    compose_resolved,
    compose_unacknowledged,
)
from edge.channels.message import Occasion
from edge.channels.sentence import Subject
from edge.model.alert import Level
from edge.model.node import Node
from edge.rules import Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """Writes messages for one city. `url` is where the wall is, "" for messages without a link."""

    zone: tzinfo
    labels: Labels
    nodes: Mapping[str, Node]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    url: str = ""

    def message(
        self, notices: Sequence[Notice], alerts: Mapping[int, Alert], language: Language, now_ms: int
    ) -> Message:
        """Return the message of these notices of one channel: of one by itself, of several a digest."""
        style = Style(zone=self.zone, language=language)
        wanted = dict.fromkeys(ident for notice in notices for ident in notice.alerts)
        known = [alerts[ident] for ident in wanted if ident in alerts]
        first = notices[0]
        if len(known) == 1 and len(notices) == 1:
            message = self._one(first, known[0], style, now_ms)
        else:
            reason = first.reason if len({notice.reason for notice in notices}) == 1 else None
            message = self._several(known, reason, style, now_ms)
        level = max(notice.level for notice in notices)
        return replace(message, key=f"cloud/{first.digest or first.id}/{first.made_ms}", level=level)

    def _one(self, notice: Notice, alert: Alert, style: Style, now_ms: int) -> Message:
        episode, subject, url = alert.episode, self._subject(alert), self._link(alert)
        if notice.reason is Reason.RESOLVED or (not alert.lasts and notice.reason is not Reason.ROSE):
            return compose_resolved(episode, subject, style, now_ms=now_ms, url=url)
        if notice.reason is Reason.ESCALATED:
            waited_ms = now_ms - (told_since_ms(alert) or alert.risen_ms)
            return compose_unacknowledged(
                episode, subject, style, waited_ms=waited_ms, now_ms=now_ms, url=url, round_=notice.was
            )
        risen_from = Level(notice.was) if notice.was else None
        if episode.rule == LOST:
            nodes = int((episode.note or {}).get("nodes", 0))
            return compose_group(
                episode, subject, style, nodes=nodes, now_ms=now_ms, url=url, risen_from=risen_from
            )
        return compose_alert(episode, subject, style, now_ms=now_ms, url=url, risen_from=risen_from)

    def _several(self, alerts: Sequence[Alert], reason: Reason | None, style: Style, now_ms: int) -> Message:
        lasting = [alert for alert in alerts if alert.lasts]
        over = [
            compose_resolved(alert.episode, self._subject(alert), style, now_ms=now_ms)
            for alert in alerts
            if not alert.lasts
        ]
        lines = tuple(line for message in over for line in (message.title, *message.lines))
        if not lasting:
            zh, en = f"✓【解除】共 {len(over)} 起", f"✓ [Resolved] {len(over)} alerts"
            title = en if style.language is Language.EN else zh
            second = (en,) if style.language is Language.BOTH else ()
            return Message(
                key="", occasion=Occasion.RESOLVED, level=None, title=title, lines=(*second, *lines),
                url=self._link(), time_ms=now_ms, language=style.language,
                facts={"episodes": [alert.episode.to_dict() for alert in alerts]},
            )  # fmt: skip
        items = [(alert.episode, self._subject(alert)) for alert in lasting]
        titled = self._title(lasting, reason)
        message = compose_digest(items, style, now_ms=now_ms, url=self._link(), title=titled)
        return replace(message, lines=(*message.lines, *lines))

    def _title(self, alerts: Sequence[Alert], reason: Reason | None) -> Mapping[str, str] | None:
        """Return what stands in the brackets: the rule and the district that these alerts share."""
        if reason is None:
            return None
        named = self.labels(alerts[0].episode.rule)
        district = self._district(alerts[0])
        zh, en = " ".join(filter(None, (district, named[1]))), ", ".join(filter(None, (named[0], district)))
        if reason is Reason.ESCALATED:
            return {"zh": f"{zh}，无人确认", "en": f"{en}, unacknowledged"}
        if reason is Reason.UPDATE:
            return {"zh": f"{zh}，续报", "en": f"{en}, more"}
        return {"zh": zh, "en": en}

    def _district(self, alert: Alert) -> str:
        node = self.nodes.get(alert.episode.node)
        return node.district if node is not None else ""

    def _subject(self, alert: Alert) -> Subject:
        episode, node = alert.episode, self.nodes.get(alert.episode.node)
        subject = Subject.of(episode, node, self.rules.get(episode.rule))
        english, chinese = self.labels(episode.rule)
        where = f"{node.district} {node.site}" if node is not None and episode.rule != LOST else ""
        return replace(subject, rule_zh=chinese, rule_en=english, where_zh=where, where_en=where)

    def _link(self, alert: Alert | None = None) -> str:
        if not self.url:
            return ""
        return f"{self.url.rstrip('/')}/#alert={alert.id}" if alert is not None else f"{self.url.rstrip('/')}/"
