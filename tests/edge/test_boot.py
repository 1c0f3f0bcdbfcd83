"""Boot numbers: they go up, they never meet, and a damaged disk does not keep a node from working."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.boot import next_boot, start_of
from edge.protocol.wire import BOOT_STEP, MAX_BOOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet" / "boot"


def starts(path: Path, count: int) -> list[int]:
    return [start_of(next_boot(path)) for _ in range(count)]


def test_boots_go_up_and_survive(path: Path) -> None:
    boots = [next_boot(path) for _ in range(5)]
    assert boots == sorted(boots)
    assert [start_of(boot) for boot in boots] == [1, 2, 3, 4, 5]


def test_a_file_with_a_count_from_before_goes_on(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("12\n", encoding="ascii")
    assert starts(path, 2) == [13, 14]


def test_two_starts_that_take_one_count_are_two_boots(path: Path) -> None:
    def first_start(number: int) -> int:
        return next_boot(path.with_name(str(number)))

    assert len({first_start(number) for number in range(20)}) > 10


@pytest.mark.parametrize("damage", [b"", b"\x00" * 4, b"\xff\xfe", b"-3", b"9" * 5_000, b"1.5", b"x"])
@pytest.mark.parametrize("torn", ["boot", "boot.2"])
def test_one_damaged_file_leaves_the_other(
    path: Path, torn: str, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    starts(path, 7)
    newest = max(int((path.parent / name).read_text()) for name in {"boot", "boot.2"} - {torn})
    (path.parent / torn).write_bytes(damage)
    assert starts(path, 2) == [newest + 1, newest + 2]
    assert [record.args for record in caplog.records] == [(path.parent / torn,)]


@pytest.mark.parametrize("left", range(7))
def test_a_write_torn_anywhere_never_leads_back(path: Path, left: int) -> None:
    path.parent.mkdir()
    path.write_text("99998\n")
    starts(path, 4)
    written = max(path, path.with_name("boot.2"), key=lambda file: int(file.read_text()))
    text = written.read_bytes()
    assert text == b"100002\n"
    written.write_bytes(text[:left])
    assert starts(path, 1)[0] >= 100_002


def test_with_both_damaged_it_begins_again_with_a_warning_and_works(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    starts(path, 7)
    for name in ("boot", "boot.2"):
        (path.parent / name).write_bytes(b"\x00")
    assert starts(path, 2) == [1, 2]
    assert "holds no count of starts" in caplog.text


def test_a_disk_that_takes_nothing_is_told_and_does_not_keep_a_node_from_working(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert start_of(next_boot(tmp_path / "file" / "boot")) == 1
    assert "could not be counted" in caplog.text


def test_the_last_count_still_fits_the_wire(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("9" * 11)
    assert next_boot(path) <= MAX_BOOT
    assert (10**11 + 1) * BOOT_STEP <= MAX_BOOT
