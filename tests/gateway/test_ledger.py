"""The ledger against a model made of plain sets."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.account import Accounts, Counts
from gateway.ledger import Drop, Ledger, Others, Spans

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
    without = Spans(spans.edges)
    without.remove(low, high)
    assert members(without) == model - set(range(low, high))
    assert without.edges == sorted(set(without.edges))
    assert members(spans.holes(low, high)) == set(range(low, high)) - model
    assert spans.count(low, high) == len(set(range(low, high)) & model)


class LedgerModel(RuleBasedStateMachine):
    """Packs and births in any order, commits that succeed or fail: the account stays true."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.waiting: dict[str, int] = {}
        self.accounts = Accounts(self.ledger, self.waiting)
        self.seen: dict[int, set[int]] = {}
        self.top: dict[int, int] = {}
        self.floor: dict[int, int] = {}
        self.own_floor: dict[int, int] = {}

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
        if fresh:
            self.floor[boot] = min(self.floor.get(boot, 0), self.own_floor.get(boot, 0))
        self.top[boot] = max(self.top.get(boot, 0), first + count)

    @rule(
        boot=st.integers(1, 3),
        following=st.integers(0, 70),
        old=st.integers(0, 3),
        seq=st.integers(0, 70),
        others=st.sampled_from(Others),
    )
    def birth(self, boot: int, following: int, old: int, seq: int, others: Others) -> None:
        """A birth tells how far the node is and what it can still send."""
        self.ledger.announce("n", boot, following, (old, seq), others)
        self.ledger.settle()
        self.top[boot] = max(self.top.get(boot, 0), following)
        for known, top in self.top.items():
            if old <= known <= boot:
                floor = self.floor[known] = seq if known == old else 0
                nothing_left = known < boot and floor == top
                self.own_floor[known] = min(floor, self.own_floor.get(known, 0)) if nothing_left else floor
            elif others is Others.ALL_GONE or (others is Others.EARLIER_GONE and known < old):
                self.floor[known] = max(self.floor.get(known, 0), top)

    @rule(boot=st.integers(1, 3), span=SPAN)
    def spoilt(self, boot: int, span: tuple[int, int]) -> None:
        """Readings that had arrived are lost by the disk."""
        gone = self.seen.get(boot, set()) & set(range(span[0], span[0] + span[1]))
        for number in gone:
            self.ledger.unclaim("n", boot, [(number, number + 1)])
            self.floor[boot] = min(self.floor.get(boot, 0), number)
            self.own_floor[boot] = min(self.own_floor.get(boot, 0), number)
        self.ledger.settle()
        self.seen.get(boot, set()).difference_update(gone)

    @invariant()
    def every_reading_is_accounted_for(self) -> None:
        """What is seen waits in the journal here; the rest is awaited or missing."""
        self.waiting["n"] = sum(len(seen) for seen in self.seen.values())
        counts = self.accounts.total()
        assert counts == self.accounts.nodes().get("n", Counts())
        assert sum(counts.reasons.values()) == counts.missing
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
    ledger, waiting = Ledger(), {"n": 9}
    accounts = Accounts(ledger, waiting)
    ledger.claim("n", 1, 0, 10)
    ledger.settle()
    assert not accounts.nodes()["n"].balanced
    ledger.settle_stored(("n", 1), Spans([0, 1]))
    assert accounts.nodes()["n"].balanced


def test_what_a_node_says_of_itself_holds_though_another_had_said_as_much() -> None:
    ledger = Ledger()
    ledger.claim("n", 1, 43, 12)
    ledger.announce("n", 1, 0, (2, 0))  # as if a later boot had spoken
    ledger.announce("n", 1, 0, (1, 55))
    ledger.claim("n", 1, 0, 1)
    ledger.settle()
    counts = Accounts(ledger, {"n": 13}).total()
    assert (counts.missing, counts.queued) == (42, 13)


def test_a_message_without_a_number_is_accounted_for_too() -> None:
    ledger = Ledger()
    ledger.count_quarantined("n", None, 1)
    counts = Accounts(ledger, {}).nodes()["n"]
    assert counts == Counts(produced=1, quarantined=1)
    assert counts.balanced


def test_what_is_missing_and_dropped_says_why() -> None:
    ledger = Ledger()
    accounts = Accounts(ledger, {"n": 3})
    ledger.claim("n", 1, 5, 5)
    ledger.announce("n", 1, 12, (1, 4))  # the first four gave way to newer ones
    ledger.announce("n", 2, 0, (2, 0))  # and the last two went with a restart, and number 4
    ledger.settle()
    ledger.count_dropped("n", 1, Drop.THINNED, 2)
    counts = accounts.total()
    assert counts.reasons == {"missing_overwritten": 4, "missing_restarted": 3, "dropped_thinned": 2}
    assert (counts.missing, counts.dropped, counts.balanced) == (7, 2, True)


def test_what_an_earlier_boot_took_along_did_not_give_way_to_newer_readings() -> None:
    ledger = Ledger()
    ledger.announce("n", 1, 2, (1, 0))
    ledger.announce("n", 2, 0, (1, 2))  # asked for them: none of that boot is left
    ledger.claim("n", 3, 5, 5)
    ledger.announce("n", 4, 0, (3, 5))  # of this one the first five gave way, the rest is there
    ledger.settle()
    assert Accounts(ledger, {"n": 5}).total().reasons == {"missing_overwritten": 5, "missing_restarted": 2}


def test_a_node_whose_boots_began_anew_speaks_for_all_its_boots() -> None:
    ledger = Ledger()
    ledger.announce("n", 70, 8, (70, 0))
    ledger.announce("n", 10, 0, (10, 0), Others.ALL_GONE)
    assert Accounts(ledger, {"n": 0}).total().missing == 0, "not before it is on disk"
    ledger.settle()
    assert Accounts(ledger, {"n": 0}).total().missing == 8


def test_a_device_does_not_speak_for_another_of_the_same_name() -> None:
    ledger = Ledger()
    ledger.announce("n", 70, 8, (70, 0))
    ledger.announce("n", 80, 0, (80, 0), Others.UNTOLD)
    ledger.settle()
    assert ledger.streams["n", 70].upto() == 0, "the first one has to send them still"


def test_a_boot_that_sends_something_new_is_not_past() -> None:
    ledger = Ledger()
    ledger.claim("n", 70, 0, 2)
    ledger.claim("n", 70, 3, 2)
    ledger.announce("n", 80, 0, (80, 0))  # a second device without a serial number
    assert ledger.streams["n", 70].upto() == 5
    ledger.claim("n", 70, 5, 1)
    assert ledger.streams["n", 70].upto() == 2
    assert ledger.streams["n", 70].awaited() == [(2, 3)]


def test_what_was_taken_for_gone_is_awaited_again_when_its_node_says_so() -> None:
    ledger = Ledger()
    ledger.announce("n", 70, 8, (70, 0))
    ledger.announce("n", 80, 0, (80, 0))
    assert ledger.streams["n", 70].missing() == 8
    ledger.announce("n", 70, 8, (70, 2))
    assert ledger.streams["n", 70].awaited() == [(2, 8)]


def test_who_was_not_touched_keeps_the_very_account_of_last_time() -> None:
    ledger = Ledger()
    accounts = Accounts(ledger, {"a": 1, "b": 1})
    for node in ("a", "b"):
        ledger.claim(node, 1, 0, 1)
    ledger.settle()
    before = accounts.nodes()
    ledger.claim("b", 1, 1, 1)
    ledger.settle()
    after = accounts.nodes()
    assert after["a"] is before["a"]
    assert after["b"] is not before["b"]
