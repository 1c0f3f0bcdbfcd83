"""Grammar: what InfluxDB would refuse to parse or to plan, seen in the neighbourhood of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from dashboards.check.influxql import Token

_OPERATORS = frozenset({"+", "/", "%", "=", "!=", "<>", "<", "<=", ">", ">=", "=~", "!~", "&", "|", "^"})
_OPENING = frozenset({"SELECT", "FROM", "WHERE", "AND", "OR", "BY", "AS"})
"""Words after which something must be named."""
_CLAUSES = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "FILL", "TZ"})
_KEYWORDS = _OPENING | _CLAUSES
_KEYWORDS |= {
    "ASC",
    "DESC",
    "IN",
    "WITH",
    "SLIMIT",
    "SOFFSET",
    "INTO",
    "SHOW",
    "TAG",
    "FIELD",
    "KEY",
    "KEYS",
    "VALUES",
}
_VALUES = ("ident", "string", "number", "regex", "variable")

AGGREGATES = frozenset(
    {"count", "mean", "median", "stddev", "sum", "first", "last", "max", "min", "percentile", "top", "bottom"}
)
_SELECTORS = frozenset({"first", "last", "max", "min", "percentile", "top", "bottom"})
"""What returns a row as it stands, so that other columns of that row may stand beside it."""
_OF_TEXTS = frozenset({"tz", "percentile"})


def faults(cut: list[Token]) -> Iterator[str]:
    """Say what cannot be parsed; if all can, what cannot be planned."""
    broken = [*_neighbours(cut)]
    yield from broken or _plans(cut)


def _neighbours(cut: list[Token]) -> Iterator[str]:
    """Look at each token and the one before it."""
    for one, other in pairwise([*cut, Token(kind="end", text="its end")]):
        if _wants(one) and _refuses(other):
            yield f"has {other.text!r} after {one.text!r}, where something must be named"
        elif (_is_value(one) or one.text == ")") and _is_value(other):
            yield f"has {other.text!r} directly after {one.text!r}"


def _wants(token: Token) -> bool:
    is_op = token.kind == "op" and (token.text in _OPERATORS or token.text == ",")
    return is_op or token.upper in _OPENING


def _refuses(token: Token) -> bool:
    if token.kind == "op":
        return token.text in _OPERATORS or token.text in (",", ")")
    return token.kind == "end" or token.upper in _CLAUSES | {"AND", "OR", "AS", "BY"}


def _is_value(token: Token) -> bool:
    return token.kind in _VALUES or (token.kind == "word" and token.upper not in _KEYWORDS)


def _plans(cut: list[Token]) -> Iterator[str]:
    for index, token in enumerate(cut):
        if token.upper == "SELECT":
            columns, rest = _select(cut, index)
            yield from _select_faults(columns, rest)


def _select(cut: list[Token], index: int) -> tuple[list[list[Token]], list[Token]]:
    """Return the columns of a SELECT, and what follows them at its own depth."""
    columns: list[list[Token]] = [[]]
    rest: list[Token] = []
    depth, listing = 0, True
    for token in cut[index + 1 :]:
        depth += (token.text == "(") - (token.text == ")") if token.kind == "op" else 0
        if depth < 0:
            break
        listing = listing and not (depth == 0 and token.upper == "FROM")
        if listing and depth == 0 and token.text == ",":
            columns.append([])
        elif listing:
            columns[-1].append(token)
        elif depth == 0 or (depth == 1 and token.text == "("):
            rest.append(token)
    return columns, rest


def _select_faults(columns: list[list[Token]], rest: list[Token]) -> Iterator[str]:
    used = [list(_aggregates(column)) for column in columns]
    names = [name for column in used for name in column]
    for column in columns:
        yield from _within(column)
    plain = [column for column, called in zip(columns, used, strict=True) if not called and _names(column)]
    if plain and names and not (len(names) == 1 and names[0] in _SELECTORS):
        yield f"mixes {', '.join(sorted(set(names)))}() with a column that is not aggregated"
    by_time = any(one.upper == "TIME" and other.text == "(" for one, other in pairwise(rest))
    if by_time and not names:
        yield "groups by time without an aggregate"


def _aggregates(column: list[Token]) -> Iterator[str]:
    for name, bracket in pairwise(column):
        if name.kind == "word" and bracket.text == "(" and name.text.lower() in AGGREGATES:
            yield name.text.lower()


def _names(column: list[Token]) -> bool:
    """Whether a column reads a field: a number alone does not."""
    return any(token.kind == "ident" or token.text == "*" for token in column)


def _within(column: list[Token]) -> Iterator[str]:
    """Aggregates of aggregates, and texts where a field belongs."""
    open_calls: list[str] = []
    for before, token in pairwise([Token(kind="end", text=""), *column]):
        if token.text == "(" and token.kind == "op":
            called = before.text.lower() if before.kind == "word" else ""
            outer = next((name for name in open_calls if name in AGGREGATES), "")
            if called in AGGREGATES and outer:
                yield f"calls {called}() within {outer}()"
            open_calls.append(called)
        elif token.text == ")" and token.kind == "op" and open_calls:
            open_calls.pop()
        elif token.kind == "string" and open_calls and open_calls[-1] not in _OF_TEXTS:
            yield f"calls {open_calls[-1]}() of the text {token.text}: names stand in double quotes"
