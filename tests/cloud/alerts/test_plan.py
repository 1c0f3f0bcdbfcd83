"""The plan by itself, whatever the order: every event is told once for each rise, by somebody, and no more."""

from __future__ import annotations

from dataclasses import replace

from alerts_rig import NOON_MS, SHANGHAI, changed, episode, node, silence, told
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.alerts.alert import Alert
from cloud.alerts.book import Book, Draft
from cloud.alerts.config import AlertsConfig
from cloud.alerts.facts import Facts, Group, Recent
from cloud.alerts.notice import Notice, Reason
from cloud.alerts.plan import plan
from cloud.alerts.routes import Route, Selector
from cloud.alerts.take import take
from edge.model.alert import Episode, Level

NODES = {ident: node(ident, district=district) for ident, district in (
    ("stage-0", "yangpu"), ("stage-1", "yangpu"), ("stage-2", "yangpu"), ("stage-3", "hongkou"),
)}  # fmt: skip


class Pure:
    """The core without a database: a book, drafts that are taken in at once, and what was to be sent."""

    def __init__(self, config: AlertsConfig) -> None:
        self.facts = Facts(
            config=config, zone=SHANGHAI, levels={"duty": Level.BLUE, "severe": Level.ORANGE}, nodes=NODES
        )
        self.book, self.now_ms = Book(), NOON_MS
        self.disk: dict[int, Alert] = {}
        self.notices: list[Notice] = []
        self.levels: dict[tuple[int, str, str], list[Level]] = {}
        """By notice, rule and node, at which level it was told."""

    def take(self, *episodes: Episode) -> None:
        keys = {one.key for one in episodes}
        self.book.add(alert for alert in self.disk.values() if alert.key in keys)
        draft = Draft(self.book, self.now_ms)
        self._plan(draft, take(draft, episodes, self.facts))
        self.book.forget_settled([*self.book.alerts])

    def look(self) -> None:
        self._plan(
            Draft(self.book, self.now_ms),
            [ident for ident, due_ms in self.book.due_ms.items() if due_ms <= self.now_ms],
        )

    def wait(self, seconds: float) -> None:
        until_ms = self.now_ms + round(seconds * 1_000)
        while True:
            self.now_ms = min((due for due in self.book.due_ms.values() if due > self.now_ms), default=until_ms)
            if self.now_ms >= until_ms:
                break
            self.look()
        self.now_ms = until_ms
        self.look()

    def restart(self) -> None:
        kept = Book(next_alert=self.book.next_alert, next_notice=self.book.next_notice)
        kept.add(alert for alert in self.disk.values() if not alert.settled)
        for alert in kept.alerts.values():
            for channel, mark in alert.told.items():
                group = Group(channel, alert.episode.rule, self.facts.district(alert))
                known = kept.groups.get(group, Recent(0, mark.level))
                kept.groups[group] = max(known, Recent(mark.time_ms, mark.level))
        kept.due_ms = dict.fromkeys(kept.alerts, 0)
        self.book = kept

    def _plan(self, draft: Draft, idents: list[int]) -> None:
        looks = plan(draft, idents, self.facts)
        for notice in draft.notices:
            self.notices.append(notice)
            for ident in notice.alerts:
                alert = draft.get(ident)
                assert alert is not None
                before = self.book.alerts.get(ident)
                if before is None or alert.episode.highest > before.told_level(notice.channel):
                    self.levels[notice.id, *alert.subject] = [alert.episode.highest]
        for ident in idents:
            self.book.due_ms.pop(ident, None)
        self.disk.update(draft.alerts)
        draft.take_in()
        self.book.waiting.update(draft.waiting)
        self.book.due_ms.update({ident: due for ident, due in looks.items() if ident in self.book.alerts})


@st.composite
def histories(draw: st.DrawFn) -> list[Episode]:
    """All revisions of one episode: levels that rise and fall, perhaps told by the gateway, perhaps over."""
    ident = draw(st.sampled_from(sorted(NODES)))
    make = draw(st.sampled_from((episode, silence)))
    found = [make(ident, level=draw(st.sampled_from(Level)))]
    for level in draw(st.lists(st.sampled_from(Level), max_size=4)):
        found.append(changed(found[-1], level=level))
        if draw(st.booleans()):
            found.append(told(found[-1], found[-1].highest.word, NOON_MS))
    if make is episode and draw(st.booleans()):
        found.append(changed(found[-1], end_ms=NOON_MS + 60_000))
    return found


def by_subject(found: list[list[Episode]]) -> list[list[Episode]]:
    return list({(history[0].rule, history[0].node): history for history in found}.values())


@settings(max_examples=150)
@given(found=st.lists(histories(), min_size=1, max_size=5).map(by_subject), data=st.data())
def test_every_rise_is_told_once_by_somebody_whatever_the_order(
    found: list[list[Episode]], data: st.DataObject
) -> None:
    config = AlertsConfig(
        routes=(
            Route(channels=("duty",), level=Level.YELLOW),
            Route(channels=("severe",), selector=Selector(districts=("hongkou",))),
        )
    )
    pure = Pure(config)
    arrivals = data.draw(st.permutations([one for history in found for one in history]))
    for one in arrivals:
        pure.take(*[one] * data.draw(st.integers(1, 2)))
        if data.draw(st.booleans()):
            pure.wait(data.draw(st.sampled_from((1, 10, 70, 200))))
        if data.draw(st.integers(0, 4)) == 0:
            pure.restart()
    pure.wait(250)
    for history in found:
        last = history[-1]
        by_gateway = max((Level.of(sent.level) for sent in last.told), default=0)
        wanted = {"duty": Level.YELLOW}
        if NODES[last.node].district == "hongkou":
            wanted["severe"] = Level.ORANGE
        for channel in ("duty", "severe"):
            levels = [
                level
                for notice in pure.notices
                if notice.channel == channel
                for level in levels_of(pure, notice, last)
            ]
            assert levels == sorted(set(levels)), "one message for each rise, and none for a fall"
            if channel not in wanted or last.highest < wanted[channel]:
                assert levels == []
            else:
                assert max([*levels, by_gateway]) == last.highest


def levels_of(pure: Pure, notice: Notice, last: Episode) -> list[Level]:
    """Return at which level a notice told of an episode, [] if it did not, or only that it is over."""
    return pure.levels.get((notice.id, last.rule, last.node), [])


@settings(max_examples=60)
@given(waits=st.lists(st.integers(0, 90), min_size=1, max_size=12))
def test_however_often_an_event_flaps_it_is_told_once(waits: list[int]) -> None:
    pure = Pure(AlertsConfig())
    for wait_s in waits:
        began = episode("stage-0", start_ms=pure.now_ms)
        pure.take(began)
        pure.wait(20)
        pure.take(changed(began, end_ms=pure.now_ms))
        pure.wait(wait_s)
    pure.wait(700)
    assert [notice.reason for notice in pure.notices] == [Reason.OPENED, Reason.RESOLVED]
    assert not pure.book.alerts, "all is settled"


def test_a_plan_that_is_made_again_finds_nothing_to_do() -> None:
    pure = Pure(AlertsConfig())
    pure.take(episode("stage-0"), episode("stage-1"), silence("stage-2"))
    draft = Draft(pure.book, pure.now_ms)
    plan(draft, [*pure.book.alerts], pure.facts)
    assert not draft


def test_what_ended_and_was_told_leaves_the_book() -> None:
    pure = Pure(AlertsConfig())
    began = episode("stage-0")
    pure.take(began)
    pure.take(replace(changed(began), end_ms=NOON_MS + 1_000))
    pure.wait(700)
    assert not pure.book.alerts and not pure.book.due_ms
