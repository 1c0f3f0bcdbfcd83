"""Boards -> docs/grafana-boards.md: every panel in the words that the board itself shows."""

from __future__ import annotations

from pathlib import Path

from dashboards.boards import Board, boards
from dashboards.build import DashboardError
from dashboards.check.walk import as_dicts
from dashboards.texts import Language

PAGE = Path(__file__).resolve().parents[1] / "docs" / "grafana-boards.md"

_HEAD = """# What each board shows

Written by `cityneuron dashboards describe` from the boards themselves: in Grafana the same words stand behind
the ⓘ of a panel, in Chinese on the Chinese boards. How to bring them into a Grafana: [grafana.md](grafana.md).
"""


def page() -> str:
    """Return the page."""
    told: dict[str, str] = {}
    return "\n".join([_HEAD, *(_board(board, told) for board in boards() if board.language is Language.EN)])


def write(path: Path = PAGE) -> bool:
    """Write the page if it differs; return whether it did."""
    current = page()
    if path.is_file() and path.read_text(encoding="utf-8") == current:
        return False
    path.write_text(current, encoding="utf-8")
    return True


def check(path: Path = PAGE) -> None:
    """Raise DashboardError unless the page tells of the boards as they are."""
    if not path.is_file() or path.read_text(encoding="utf-8") != page():
        raise DashboardError(
            f"{path.name} does not tell of the boards as they are", remedy="cityneuron dashboards describe"
        )


def _board(board: Board, told: dict[str, str]) -> str:
    """Describe a board; what was told already, on which board, is not told again."""
    content = board.to_dict()
    lines = [f"## {board.title}", "", board.description, ""]
    for item in as_dicts(content["panels"]):
        if item["type"] == "row":
            lines += ["", f"### {item['title']}", ""]
        for panel in [item] if item["type"] != "row" else as_dicts(item.get("panels")):
            title = str(panel.get("title") or "").replace("*", "\\*")
            words = str(panel.get("description") or "").strip()
            if (before := told.setdefault(words, board.title)) != board.title:
                words = f"as on {before}"
            lines.append(f"- **{title}** ({panel['type']}): {words}")
    text = "\n".join(lines) + "\n"
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
