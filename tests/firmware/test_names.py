"""Short names on the boards: what shortening relies on holds in the firmware, and nothing else changes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import servers

from edge.field.names import positional, shorten

FIRMWARE = servers.PROJECT / "firmware"
MODULES = sorted((FIRMWARE / "lib").rglob("*.py")) + sorted((FIRMWARE / "drivers").glob("*.py"))
CALLERS = [*FIRMWARE.rglob("*.py"), *(servers.PROJECT / "tests" / "firmware" / "on_micropython").glob("*.py")]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def shortened_arguments(path: Path) -> dict[str, set[str]]:
    """Return the arguments that are shortened in a module, by the name that their function is called by."""
    tree = tree_of(path)
    shortened = positional(tree)
    owners = {
        id(part): each.name for each in ast.walk(tree) if isinstance(each, ast.ClassDef) for part in each.body
    }
    found: dict[str, set[str]] = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            name = owners[id(each)] if each.name == "__init__" else each.name
            found.setdefault(name, set()).update(arg.arg for arg in each.args.args if arg.arg in shortened)
    return found


def test_private_names_and_arguments_become_few_and_short_and_lines_stay() -> None:
    source = b"""
class Ring:  # _rows of the last hour
    def __init__(self, rows, most=8):
        self._rows, self._most, self.rows_seen = rows, most, 0

    def _full(self, _):
        text = "_rows"
        return len(self._rows) >= self._most
"""
    assert (
        shorten(source)
        == b"""
class Ring:  # _rows of the last hour
    def __init__(self, _a, most=8):
        self._b, self._c, self.rows_seen = _a, most, 0

    def _d(self, _):
        text = "_rows"
        return len(self._b) >= self._c
"""
    )


def test_what_is_no_python_is_left_to_the_compiler() -> None:
    assert shorten(b"def read(:\n") == b"def read(:\n"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_uses_no_private_name_of_another(path: Path) -> None:
    tree = tree_of(path)
    bound = {
        each.attr
        for each in ast.walk(tree)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
    }
    bound |= {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    assert {name for name in used if name.startswith("_") and not name.startswith("__")} <= bound
    assert not any(isinstance(each, ast.JoinedStr) for each in ast.walk(tree)), (
        "an f-string keeps the long names"
    )


def test_no_call_gives_an_argument_by_a_name_that_was_shortened() -> None:
    by_module = {path: shortened_arguments(path) for path in MODULES}
    public: dict[str, set[str]] = {}
    for functions in by_module.values():
        for name, arguments in functions.items():
            if not name.startswith("_"):
                public.setdefault(name, set()).update(arguments)
    assert sum(map(len, public.values())) > 200
    for path in CALLERS:
        within = public | by_module.get(path, {})
        for call in ast.walk(tree_of(path)):
            if isinstance(call, ast.Call):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                given = {keyword.arg for keyword in call.keywords}
                assert not given & within.get(name, set()), f"{path}:{call.lineno}"
