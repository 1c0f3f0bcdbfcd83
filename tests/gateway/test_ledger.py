"""The ledger against a model made of plain sets."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.ledger import Counts, Ledger, Spans, account

SPAN = st.tuples(st.integers(0, 60), st.integers(1, 12))


def members(spans: Spans | list[tuple[int, int]]) -> set[int]:
    """Return the integers that spans stand for."""
    return {number for first, end in spans for number in range(first, end)}


@given(st.lists(SPAN, max_size=30), SPAN)
def test_spans_are_a_set(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    spans, model = Spans(), set[int]()
    for first, count in added:
        fresh = spans.add(first, first + count)
        assert members(fresh) == set(range(first, first + count)) - model
        model |= set(range(first, first + count))
        assert members(spans) == model
        assert spans.edges == sorted(set(spans.edges))
    low, high = asked[0], asked[0] + asked[1]
    assert members(spans.holes(low, high)) == set(range(low, high)) - model
    assert spans.count(low, high) == len(set(range(low, high)) & model)


class LedgerModel(RuleBasedStateMachine):
    """Packs and births in any order, commits that succeed or fail: the account stays true."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.seen: dict[int, set[int]] = {}
        self.top: dict[int, int] = {}
        self.floor: dict[int, int] = {}

    @rule(boot=st.integers(1, 3), span=SPAN, fails=st.booleans())
    def pack(self, boot: int, span: tuple[int, int], fails: bool) -> None:
        """A pack arrives; its commit may fail and leaves no trace then."""
        first, count = span
        fresh = self.ledger.claim("n", boot, first, count)
        assert members(fresh) == set(range(first, first + count)) - self.seen.get(boot, set())
        if fails:
            self.ledger.rollback()
            return
        self.ledger.settle()
        self.seen.setdefault(boot, set()).update(range(first, first + count))
        self.top[boot] = max(self.top.get(boot, 0), first + count)

    @rule(boot=st.integers(1, 3), following=st.integers(0, 70), old=st.integers(0, 3), seq=st.integers(0, 70))
    def birth(self, boot: int, following: int, old: int, seq: int) -> None:
        """A birth tells how far the node is and what it can still send."""
        self.ledger.announce("n", boot, following, (old, seq))
        self.ledger.settle()
        self.top[boot] = max(self.top.get(boot, 0), following)
        for known in self.top:
            gone = self.top[known] if known < old else seq if known == old else 0
            self.floor[known] = max(self.floor.get(known, 0), gone)

    @invariant()
    def every_reading_is_accounted_for(self) -> None:
        """What is seen waits in the journal here; the rest is awaited or missing."""
        waiting = sum(len(seen) for seen in self.seen.values())
        counts = account(self.ledger.streams.items(), {}, {"n": waiting}).get("n", Counts())
        assert counts.balanced
        assert counts.produced == sum(self.top.values())
        missing = 0
        for boot, top in self.top.items():
            missing += len(set(range(min(top, self.floor.get(boot, 0)))) - self.seen.get(boot, set()))
        assert counts.missing == missing
        assert counts.queued == counts.produced - missing

    @invariant()
    def nodes_are_told_what_is_settled(self) -> None:
        """The acknowledgement never passes a reading that may still come."""
        for (_, boot), stream in self.ledger.streams.items():
            unsettled = set(range(self.floor.get(boot, 0), self.top.get(boot, 0))) - self.seen.get(boot, set())
            assert stream.upto() == min(unsettled, default=max(stream.top, stream.floor))
            assert members(stream.awaited()) == unsettled


TestLedger = LedgerModel.TestCase


def test_an_account_that_does_not_add_up_says_so() -> None:
    ledger = Ledger()
    ledger.claim("n", 1, 0, 10)
    lost = account(ledger.streams.items(), {}, {"n": 9})["n"]
    assert not lost.balanced
    ledger.settle_stored(("n", 1), ledger.stored_with(("n", 1), [(0, 1)]))
    assert account(ledger.streams.items(), {}, {"n": 9})["n"].balanced


def test_a_message_without_a_number_is_accounted_for_too() -> None:
    ledger = Ledger()
    ledger.count_quarantined("n", None, 1)
    counts = account(ledger.streams.items(), ledger.strays, {})["n"]
    assert counts == Counts(produced=1, quarantined=1)
    assert counts.balanced
