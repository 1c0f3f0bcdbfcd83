"""Languages: the words of NAME.en.json are English, those of NAME.zh.json Chinese; other files may mix them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dicts, panels, place, variables

_CHINESE = re.compile("[\u4e00-\u9fff]")
_LETTER = re.compile("[A-Za-z]")
_NAMES = {".en": "English", ".zh": "Chinese"}


def check(files: Files) -> Faults:
    """Look at titles, descriptions and labels; not at links, of which one leads to the other language."""
    for name, board in files.boards.items():
        language = Path(Path(name).stem).suffix
        for where, text in _words(board):
            is_chinese = bool(_CHINESE.search(text))
            if (language == ".en" and is_chinese) or (
                language == ".zh" and not is_chinese and _LETTER.search(text)
            ):
                yield Fault(
                    file=name,
                    where=where,
                    what=f"says “{text}” on a board in {_NAMES[language]}",
                    remedy="translate it: dashboards/texts.py has the words of both languages",
                )


def _words(board: Json) -> Iterator[tuple[str, str]]:
    rows = [(place(row), row) for row in as_dicts(board.get("panels")) if row.get("type") == "row"]
    for where, item in (("board", board), *rows, *panels(board)):
        yield from ((where, str(item.get(key) or "")) for key in ("title", "description"))
    for variable in variables(board):
        yield f"variable {variable.get('name')}", str(variable.get("label") or "")
