"""What stands on a node's label, and where on a sheet the labels go. Pure: millimetres and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from edge.model.errors import ConfigError
from edge.model.kinds import KINDS

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to be misread
CHECK_LETTERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """The words of one label. `url` is what the QR code leads to: the node's page."""

    node: str
    kind: str
    place: str
    check: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A sheet of labels, in millimetres; the usual one is A4 with 2 x 7 (99.1 x 38.1, as Avery L7163)."""

    width: float = 210.0
    height: float = 297.0
    columns: int = 2
    rows: int = 7
    label_width: float = 99.1
    label_height: float = 38.1
    left: float = 4.65
    top: float = 15.15
    gap_x: float = 2.5
    gap_y: float = 0.0

    @property
    def labels(self) -> int:
        """How many labels a page has."""
        return self.columns * self.rows

    def place(self, index: int) -> tuple[int, float, float]:
        """Return page, left and top of a label, counted from 0 along the rows."""
        page, slot = divmod(index, self.labels)
        row, column = divmod(slot, self.columns)
        left = self.left + column * (self.label_width + self.gap_x)
        return page, left, self.top + row * (self.label_height + self.gap_y)


SHEETS: dict[str, Sheet] = {
    "a4-14": Sheet(),
    "a4-21": Sheet(columns=3, label_width=63.5, left=7.2),  # Avery L7160
    "single": Sheet(
        width=62.0, height=29.0, columns=1, rows=1, label_width=62.0, label_height=29.0, left=0, top=0
    ),
}


def sheet_named(name: str) -> Sheet:
    """Return a sheet, or raise ConfigError."""
    try:
        return SHEETS[name]
    except KeyError:
        raise ConfigError(f"no sheet {name!r}", remedy=f"one of {', '.join(SHEETS)}") from None


def check_code(node: str) -> str:
    """Return four letters that a wrongly heard or typed id does not have."""
    number = int.from_bytes(sha256(node.encode()).digest()[:4], "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(CHECK_LETTERS)))


def label_of(row: dict[str, Any], page: str) -> Label:
    """Return the label of a node as the API tells it; `page` is the address of node pages."""
    kind = KINDS.get(str(row["kind"]))
    label = row.get("label") or {}
    names = [str(label.get(language) or "") for language in ("zh", "en")]
    names = [name for name in dict.fromkeys(names) if name and name != row["id"]]
    where = [str(row.get(name) or "") for name in ("site", "district")]
    words = dict.fromkeys([*names, *(word for word in where if word and word != row["id"])])
    return Label(
        node=str(row["id"]),
        kind=f"{kind.label_zh} {kind.label_en}" if kind else str(row["kind"]),
        place=" · ".join(words),
        check=check_code(str(row["id"])),
        url=f"{page.rstrip('/')}/{row['id']}",
    )


def pages(labels: Sequence[Label], sheet: Sheet, skip: int = 0) -> Iterator[list[tuple[float, float, Label]]]:
    """Yield pages of (left, top, label); `skip` labels of the first page are used up already."""
    page: list[tuple[float, float, Label]] = []
    number = 0
    for index, label in enumerate(labels, start=skip):
        at, left, top = sheet.place(index)
        if at != number and page:
            yield page
            page = []
        number = at
        page.append((left, top, label))
    if page:
        yield page
