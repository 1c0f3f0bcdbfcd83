"""The names of a firmware module made short: each takes memory on a node for as long as it runs.

MicroPython keeps every name once, in one table for all modules. What begins with an underscore belongs to its
module alone, and so does what a function calls its arguments: every module may use the same few for them, `_a`,
`_b`, `_c`... The lines stay where they are, and with them what a node says of a fault: file, line.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from itertools import count
from string import ascii_letters

_PRIVATE = re.compile(r"_[A-Za-z]\w*")


def shorten(source: bytes) -> bytes:
    """Return a module with short names for what is private, and for arguments that have no default.

    It relies on three things: no class inherits what is private from another module, an argument without a
    default is given by position, and no f-string names any of them. What is no Python is returned as it is: the
    compiler says what is wrong with it.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    words = [token for token in tokenize.tokenize(io.BytesIO(source).readline) if token.type == tokenize.NAME]
    counted = Counter(word.string for word in words)
    short = (name for name in _short_names() if name not in counted)
    arguments = positional(tree)
    renamed = {name: next(short) for name in counted if _PRIVATE.fullmatch(name) or name in arguments}
    lines = source.decode().splitlines(keepends=True)
    for word in reversed(words):
        if word.string in renamed:
            (row, begin), (_, end) = word.start, word.end
            line = lines[row - 1]
            lines[row - 1] = line[:begin] + renamed[word.string] + line[end:]
    return "".join(lines).encode()


def positional(tree: ast.Module) -> set[str]:
    """Return the names of arguments without a default that name nothing else in the module."""
    named: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.arguments():
                given = [each.arg for each in (*node.posonlyargs, *node.args)]
                plain = len(given) - len(node.defaults)
                named.update(given[:plain])
                others.update(given[plain:], (each.arg for each in node.kwonlyargs))
                others.update(each.arg for each in (node.vararg, node.kwarg) if each)
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                others.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                others.add(name)
            case ast.alias():
                others.update((*node.name.split("."), node.asname or ""))
            case ast.ImportFrom(module=str(name)):
                others.update(name.split("."))
    stored = {name for statement in tree.body for name in _bound_by(statement)}
    return named - others - stored - {"self", "_"}


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of the module binds there."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _short_names() -> Iterator[str]:
    for size in count(0):
        for letter in ascii_letters:
            yield f"_{letter}{size or ''}"
