"""InfluxQL: what a query may say so that InfluxDB 1.x, 2.x and 3.x answer alike. Tokens first, then rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dashboards.check.durations import is_zone
from edge.model.errors import CityError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      |(?P<ident>"(?:\\.|[^"\\])*")
      |(?P<string>'(?:\\.|[^'\\])*')
      |(?P<variable>\$\{[^}]*\}|\$\w+|\[\[\w+(?::\w+)?\]\])
      |(?P<number>\d+(?:\.\d+)?(?:ns|ms|[uµsmhdw])?(?:\d+(?:ns|ms|[uµsmhdw]))*)
      |(?P<word>[A-Za-z_]\w*)
      |(?P<op>=~|!~|<>|!=|<=|>=|::|[-+*/%=<>(),.;&|^])""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:\\.|\$\{[^}]*\}|[^/\\\n])+/")

FUNCTIONS = frozenset(
    {"count", "distinct", "mean", "median", "stddev", "sum", "first", "last", "max", "min", "percentile"}
    | {"top", "bottom", "derivative", "non_negative_derivative", "difference", "non_negative_difference"}
    | {"elapsed", "cumulative_sum", "moving_average", "abs", "ceil", "floor", "round", "pow", "sqrt"}
    | {"ln", "log", "log2", "log10", "exp", "time", "fill", "tz", "now"}
)
"""Functions that all three have (InfluxDB 3, InfluxQL feature support)."""

_STATEMENTS = ["CREATE", "DROP", "DELETE", "ALTER", "GRANT", "REVOKE", "KILL", "SET", "EXPLAIN"]
_SHOWN = {("MEASUREMENTS",): False, ("TAG", "KEYS"): True, ("TAG", "VALUES"): True, ("FIELD", "KEYS"): False}
"""What may be shown, and whether InfluxDB 1 takes a time filter with it."""
_FILLS = frozenset({"none", "null", "previous", "linear"})
_CLAUSES = frozenset({"SLIMIT", "SOFFSET", "INTO"})
_DEEPEST = 1
_AFTER_GROUPS = frozenset({"FILL", "ORDER", "LIMIT", "OFFSET", "TZ", "SLIMIT", "SOFFSET"})
_BEFORE_BRACKETS = frozenset({"FROM", "WHERE", "AND", "OR", "IN", "BY", "SELECT", "AS"})


class Unreadable(CityError):
    """The text is no InfluxQL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A piece of a query; `upper` is how keywords are compared."""

    kind: str
    text: str

    @property
    def upper(self) -> str:
        """The keyword, if it is a word; else what cannot be one."""
        return self.text.upper() if self.kind == "word" else ""


def tokens(query: str) -> list[Token]:
    """Cut a query. Raises Unreadable, with the place."""
    found: list[Token] = []
    position = 0
    while position < len(query):
        regex = _REGEX.match(query, position) if _wants_regex(found) else None
        match = regex or _TOKEN.match(query, position)
        if match is None:
            raise Unreadable(f"at {query[position : position + 20]!r}")
        kind = "regex" if regex else str(match.lastgroup)
        if kind != "space":
            found.append(Token(kind=kind, text=match.group()))
        position = match.end()
    return found


def _wants_regex(before: list[Token]) -> bool:
    """A slash divides after a value; else it begins a regular expression."""
    if not before:
        return True
    last = before[-1]
    return last.text in ("=~", "!~", ",", "(") or last.upper in ("FROM", "SELECT", "BY", "IN")


def faults(query: str) -> Iterator[str]:
    """Say what in a query one of the three would not do, or do otherwise."""
    try:
        cut = tokens(query)
    except Unreadable as error:
        yield f"cannot be read as InfluxQL {error}"
        return
    if not cut:
        yield "is empty"
        return
    words = [token.upper for token in cut]
    if ";" in (token.text for token in cut if token.kind == "op"):
        yield "holds several statements: ask one at a time"
    depth = _depths(cut)
    if depth is None:
        yield "has a parenthesis without its partner"
        return
    if words[0] == "SHOW":
        yield from _show(cut, words)
    elif words[0] in _STATEMENTS:
        yield f"says {words[0]}: boards and rules only ask"
    elif words[0] != "SELECT":
        yield f"begins with {cut[0].text!r}: SELECT or SHOW is portable"
    yield from _clauses(cut, words)
    yield from _calls(cut)
    yield from _selects(cut, words, depth)


def _depths(cut: list[Token]) -> list[int] | None:
    """The number of open parentheses before each token; None if they do not close."""
    depths, level = [], 0
    for token in cut:
        if token.text == ")" and token.kind == "op":
            level -= 1
        if level < 0:
            return None
        depths.append(level)
        if token.text == "(" and token.kind == "op":
            level += 1
    return depths if level == 0 else None


def _show(cut: list[Token], words: list[str]) -> Iterator[str]:
    shown = next((shown for shown in _SHOWN if words[1 : 1 + len(shown)] == list(shown)), None)
    if shown is None:
        yield f"says {' '.join(words[:3])}: only MEASUREMENTS, TAG KEYS, TAG VALUES and FIELD KEYS are portable"
        return
    if "ON" in words:
        yield "says ON a database: the data source names the database"
    if _SHOWN[shown] and not _is_bound(cut):
        yield "has no time filter: InfluxDB 3 then sees the last 24 h only (add WHERE $timeFilter)"
    if not _SHOWN[shown] and _is_bound(cut):
        yield f"filters SHOW {' '.join(shown)} by time, which InfluxDB 1 refuses"


def _clauses(cut: list[Token], words: list[str]) -> Iterator[str]:
    for clause in sorted(_CLAUSES & set(words)):
        yield f"says {clause}, which is not portable"
    for one, dot in pairwise(cut):
        if dot.text == "." and dot.kind == "op" and one.kind in ("ident", "word"):
            yield f"names a database or retention policy ({one.text}.): the data source does that"
            return


def _calls(cut: list[Token]) -> Iterator[str]:
    """Functions, and the arguments of fill() and tz()."""
    for index, (name, bracket) in enumerate(pairwise(cut)):
        if name.kind != "word" or bracket.text != "(" or name.upper in _BEFORE_BRACKETS:
            continue
        called = name.text.lower()
        argument = cut[index + 2].text if index + 2 < len(cut) else ""
        if called not in FUNCTIONS:
            yield f"calls {name.text}(), which not every InfluxDB has"
        elif called == "fill" and argument.lower() not in _FILLS and cut[index + 2].kind != "number":
            if argument != "-":
                yield f"says fill({argument}): none, null, previous, linear or a number are portable"
        elif called == "tz" and not is_zone(argument.strip("'")):
            yield f"says tz({argument}), which is no time zone"


def _selects(cut: list[Token], words: list[str], depths: list[int]) -> Iterator[str]:
    """Every SELECT: where it reads from, how deep it stands, and whether its time is bounded."""
    level, open_at = 0, []
    for index, word in enumerate(words):
        if cut[index].text == "(" and cut[index].kind == "op":
            open_at.append(words[index + 1 : index + 2] == ["SELECT"])
            level += open_at[-1]
        elif cut[index].text == ")" and cut[index].kind == "op":
            level -= open_at.pop()
        if word != "SELECT":
            continue
        if level > _DEEPEST:
            yield f"has subqueries {level} deep: one level is portable"
        end = next((i for i in range(index, len(cut)) if depths[i] < depths[index]), len(cut))
        own = [i for i in range(index, end) if depths[i] == depths[index]]
        source = next((i for i in own if words[i] == "FROM"), None)
        if source is None or source + 1 >= len(cut):
            yield "has a SELECT without a FROM"
            continue
        reads_measurement = cut[source + 1].text != "("
        if reads_measurement and not _is_bound(cut[index:end]):
            yield "reads all that was ever stored: its WHERE bounds no time (add $timeFilter)"


def _is_bound(cut: list[Token]) -> bool:
    """Whether a WHERE speaks of time."""
    after = False
    for token, following in zip(cut, [*cut[1:], Token(kind="end", text="")], strict=True):
        after = after or token.upper == "WHERE"
        if after and token.text in ("$timeFilter", "${timeFilter}", "$__timeFilter"):
            return True
        if after and token.text.strip('"').lower() == "time" and following.text in (">", ">=", "<", "<=", "="):
            return True
    return False


@lru_cache(maxsize=4096)
def grouped_by(query: str) -> frozenset[str]:
    """Return the tags of all GROUP BY; an unreadable query groups by nothing."""
    try:
        cut = tokens(query)
    except Unreadable:
        return frozenset()
    depths = _depths(cut)
    found: set[str] = set()
    at: int | None = None  # how deep the GROUP BY stands in which we are
    for token, before, depth in zip(cut[1:], cut, depths[1:] if depths else (), strict=False):
        if token.upper == "BY" and before.upper == "GROUP":
            at = depth
        elif at is not None and (depth < at or token.upper in _AFTER_GROUPS):
            at = None
        elif depth == at and (token.kind == "ident" or token.upper not in ("", "TIME") or token.text == "*"):
            found.add(token.text.strip('"'))
    return frozenset(found)
