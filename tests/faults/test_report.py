"""What `make faults` says: the ledger without what the clock decides, and words that fit a terminal."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

from faults.audit import LET_GO, OVERWRITTEN, POWER_CUT, Loss, Made, Verdict
from faults.fingerprint import differences, fingerprint, ledger_lines, strays_in
from faults.report import WIDTH, Report, show
from rich.console import Console

BOOT = 12_0417


def verdict() -> Verdict:
    """Three nodes of one producer: the power was cut, and one of them overwrote its oldest readings."""
    nodes = [f"p00-node-0{index}" for index in range(3)]
    made = {(node, BOOT, seq): Made(seq, seq) for node in nodes for seq in range(10)}
    lost = [Loss(node, BOOT, 8, 9, POWER_CUT) for node in nodes] + [Loss(nodes[2], BOOT, 1, 3, OVERWRITTEN)]
    gone = {(loss.node, BOOT, seq) for loss in lost for seq in range(loss.first, loss.last + 1)}
    return Verdict(made, stored=set(made) - gone, lost=lost)


def ledger(strays: int = 0) -> dict[str, Any]:
    """Return what the gateway says of them, `strays` messages that are no readings among it."""
    counts = {"produced": 8 + strays, "stored": 8, "dropped": 0, "quarantined": strays, "missing": 0}
    rows = [{"node": f"p00-node-0{index}", **counts} for index in range(3)]
    return {"nodes": [*rows, {"node": "gw-01", "produced": 77}]}


def shown(found: Verdict, **more: Any) -> list[str]:
    """Return the lines of a report."""
    sorts = Counter({"node_link_half_open": 12, "store_type_conflict": 188})
    report = Report(
        scenario="everything", seed=1, verdict=found, injected=sorts,
        sort_of=dict.fromkeys(found.made, "store_type_conflict"), troubles=more.get("troubles", []),
        ledger=ledger_lines(found, ledger(), {}), let_go=Counter(), looks=400, seconds=400.0,
    )  # fmt: skip
    words = io.StringIO()
    show(report, Console(file=words, width=WIDTH))
    return words.getvalue().splitlines()


def test_the_ledger_says_where_each_reading_of_each_boot_is() -> None:
    lines = ledger_lines(verdict(), ledger(), {})
    assert len(lines) == 6 and "gw-01" not in " ".join(lines)
    assert lines[4] == "p00-node-02: produced 8, stored 8, dropped 0, quarantined 0, missing 0"
    assert lines[5].split("; ") == [
        "  p00-node-02 boot 120417: made 0-9", "stored 0-0 4-7", "power cut 8-9", "overwritten 1-3",
    ]  # fmt: skip


def test_strays_do_not_change_the_ledger_and_a_reading_does() -> None:
    kept = [{"node": f"p00-node-0{index}", "boot": None} for index in range(3)]
    same = ledger_lines(verdict(), ledger(strays=1), strays_in(kept))
    assert fingerprint(same) == fingerprint(ledger_lines(verdict(), ledger(), {}))
    other = verdict()
    other.stored.remove(("p00-node-01", BOOT, 4))
    changed = ledger_lines(other, ledger(), {})
    assert fingerprint(changed) != fingerprint(same)
    assert any("stored 0-3 5-7" in line for line in differences(same, changed))


def test_a_report_fits_its_width_and_ends_with_the_verdict() -> None:
    lines = shown(verdict())
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1].startswith("CUSTODY HELD: 30 readings, 21 stored, 0 quarantined, 9 lost")
    assert shown(verdict(), troubles=["the gateway ended"])[-1].startswith("CUSTODY WAS BROKEN")


def test_what_the_gateway_let_go_is_told_a_line_a_boot() -> None:
    found = verdict()
    found.lost = [Loss("p00-node-00", BOOT, seq, seq, LET_GO) for seq in range(1, 9, 2)]
    assert sum("let go" in line for line in shown(found)) == 1


def test_every_loss_is_named_with_node_boot_range_and_cause() -> None:
    lines = [" ".join(line.split()) for line in shown(verdict())]
    assert "p00-node-00 -01 -02 120417 8-9 3 x 2 power cut" in lines
    assert "p00-node-02 120417 1-3 3 overwritten" in lines
