"""rules.toml -> rules: what is wrong is named with file, rule and key, before anything is evaluated."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.config import load_toml
from edge.model.alert import Level
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES
from edge.rules.derive import FORMS, read_derive
from edge.rules.events import leq_hours
from edge.rules.notation import read_duration, read_threshold
from edge.rules.rule import SIGNALS, Derive, Given, NoData, Rule, Scope, Step, Threshold
from edge.rules.schedule import Schedule, read_schedule

DEFAULTS = "edge/rules/defaults.toml"
KEYS = (
    "label", "text", "like", "off", "kinds", "nodes", "quantity", "of", "derive", "direction", "levels", "for",
    "keep_firing", "no_data", "no_data_after", "quality", "given", "schedule", "scope",
)  # fmt: skip


def load_rules(paths: Iterable[Path | str] = (), *, defaults: bool = True) -> tuple[Rule, ...]:
    """Read the default rules and then these files; a rule of a later file takes the place of its namesake."""
    sources = [(DEFAULTS, default_text())] if defaults else []
    tables = [(where, _toml(text, where)) for where, text in sources]
    tables += [(str(path), load_toml(Path(path))) for path in paths]
    return _Reader(tables).rules()


def read_rules(text: str, where: str = "rules", *, defaults: bool = False) -> tuple[Rule, ...]:
    """Read the rules of a text, as `load_rules` reads files; `where` stands in messages."""
    tables = [(DEFAULTS, _toml(default_text(), DEFAULTS))] if defaults else []
    return _Reader([*tables, (where, _toml(text, where))]).rules()


def default_text() -> str:
    """Return the text of the default rules."""
    return (files("edge.rules") / "defaults.toml").read_text(encoding="utf-8")


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not TOML: {error}") from None


class _Reader:
    """Reads tables in their order; `like` refers to what was read before, or to a default."""

    def __init__(self, tables: list[tuple[str, dict[str, Any]]]) -> None:
        self._tables = tables
        self._zone = "Asia/Shanghai"
        self._constants: dict[str, float] = {}
        self._raw: dict[str, tuple[str, dict[str, Any]]] = {}

    def rules(self) -> tuple[Rule, ...]:
        for where, table in self._tables:
            self._collect(table, where)
        return tuple(
            self._rule(name, table, f"{where}: rule {name}")
            for name, (where, table) in self._raw.items()
            if not _flag(table, "off", f"{where}: rule {name}")
        )

    def _collect(self, table: dict[str, Any], where: str) -> None:
        for key in table:
            if key not in ("rule", "zone", "constant"):
                raise ConfigError(
                    f"{where}: unknown key {key!r}", remedy="a rules file has zone, [constant] and [rule.NAME]"
                )
        if "zone" in table:
            self._zone = _zone(table["zone"], where)
        for name, value in _table(table.get("constant", {}), f"{where}: [constant]").items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigError(f"{where}: constant {name}: {value!r} is no number")
            self._constants[name] = float(value)
        for name, rule in _table(table.get("rule", {}), f"{where}: [rule]").items():
            place = f"{where}: rule {name}"
            row = dict(_table(rule, place))
            if "like" in row:
                row = {**self._model(row.pop("like"), place), **row}
            self._raw[name] = (where, row)

    def _model(self, name: Any, place: str) -> dict[str, Any]:
        if name in self._raw:
            return self._raw[name][1]
        shipped = _toml(default_text(), DEFAULTS)
        if name not in shipped["rule"]:
            known = sorted({*self._raw, *shipped["rule"]})
            raise ConfigError(f"{place}.like: no rule is called {name!r}", remedy=f"known: {', '.join(known)}")
        for constant, value in shipped.get("constant", {}).items():
            self._constants.setdefault(constant, float(value))
        found: dict[str, Any] = shipped["rule"][name]
        return found

    def _rule(self, name: str, row: dict[str, Any], place: str) -> Rule:
        for key in row:
            if key not in KEYS:
                raise ConfigError(f"{place}: unknown key {key!r}", remedy=f"known: {', '.join(KEYS)}")
        derive = read_derive(row["derive"], self._zone, f"{place}.derive") if "derive" in row else None
        quantity = _quantity(row, derive, place)
        below = _choice(row, "direction", ("above", "below"), place, _direction(derive)) == "below"
        english, chinese = _label(row, name, place)
        return Rule(
            name=_name(name, place),
            label_en=english,
            label_zh=chinese,
            quantity=quantity,
            unit=_unit(quantity, derive),
            steps=self._steps(row, quantity, below, f"{place}.levels"),
            kinds=_words(row, "kinds", KINDS, place),
            nodes=_words(row, "nodes", None, place),
            below=below,
            for_ms=read_duration(row.get("for", 0), f"{place}.for"),
            keep_ms=read_duration(row.get("keep_firing", 0), f"{place}.keep_firing"),
            no_data=NoData(_choice(row, "no_data", tuple(NoData), place, NoData.KEEP)),
            gap=self._gap(row, f"{place}.no_data_after"),
            worst=_choice(row, "quality", ("good", "suspect"), place, "good"),
            given=_given(row["given"], f"{place}.given") if "given" in row else None,
            schedule=self._schedule(row, derive, f"{place}.schedule"),
            scope=Scope(_choice(row, "scope", tuple(Scope), place, Scope.GATEWAY)),
            derive=derive,
            of=_of(row, quantity, f"{place}.of"),
            text=str(row.get("text", "")),
        )

    def _schedule(self, row: dict[str, Any], derive: Derive | None, place: str) -> Schedule | None:
        if "schedule" in row:
            return read_schedule(row["schedule"], self._zone, place)
        return leq_hours(derive) if derive is not None and derive.form == "leq" else None

    def _gap(self, row: dict[str, Any], place: str) -> Threshold:
        value = row.get("no_data_after", "10 periods")
        if isinstance(value, str) and "period" in value:
            return read_threshold(value, {}, place)
        return Threshold(read_duration(value, place) / 1000)

    def _steps(self, row: dict[str, Any], quantity: str, below: bool, place: str) -> tuple[Step, ...]:
        table = _table(row.get("levels", {}), place)
        words = [level.word for level in Level]
        for word in table:
            if word not in words:
                raise ConfigError(f"{place}: no level is called {word!r}", remedy=f"use {', '.join(words)}")
        if not table:
            raise ConfigError(
                f"{place} is missing", remedy="give one level at least: levels.yellow = { enter = 1 }"
            )
        steps = []
        for level in Level:
            if level.word not in table:
                continue
            here = f"{place}.{level.word}"
            pair = table[level.word]
            pair = pair if isinstance(pair, Mapping) else {"enter": pair}
            for key in pair:
                if key not in ("enter", "leave"):
                    raise ConfigError(f"{here}: unknown key {key!r}", remedy="known: enter, leave")
            if "enter" not in pair:
                raise ConfigError(f"{here}.enter is missing", remedy="from which value on does the level hold?")
            enter = read_threshold(pair["enter"], self._constants, f"{here}.enter", quantity)
            leave = read_threshold(pair.get("leave", pair["enter"]), self._constants, f"{here}.leave", quantity)
            steps.append(Step(level=level, enter=enter, leave=leave))
        _in_order(steps, below, place)
        return tuple(steps)


def _in_order(steps: list[Step], below: bool, place: str) -> None:
    """Check what can be known without a node: thresholds that share their name differ by numbers."""
    sign = -1 if below else 1
    for step in steps:
        if (
            step.enter.name == step.leave.name
            and step.enter.factor == step.leave.factor
            and (sign * step.leave.offset > sign * step.enter.offset)
        ):
            raise ConfigError(
                f"{place}.{step.level.word}: leave {step.leave} lies beyond enter {step.enter}",
                remedy=f"leave must be {'higher' if below else 'lower'} than enter, or equal",
            )
    for milder, worse in pairwise(steps):
        if (
            milder.enter.name == worse.enter.name
            and milder.enter.factor == worse.enter.factor
            and (sign * milder.enter.offset > sign * worse.enter.offset)
        ):
            raise ConfigError(
                f"{place}: {worse.level.word} ({worse.enter}) is reached before {milder.level.word}"
                f" ({milder.enter})",
                remedy='low values are the bad ones? set direction = "below"'
                if not below
                else "swap the levels",
            )


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{place} is not a table", remedy="write [rule.NAME] and its keys below")
    return value


def _name(name: str, place: str) -> str:
    if not name or len(name) > 48 or not all((c.isalnum() and c.isascii()) or c in "_-" for c in name):
        raise ConfigError(f"{place}: a name has at most 48 letters, digits, _ and -")
    return name


def _flag(row: Mapping[str, Any], key: str, place: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{place}.{key}: {value!r} is neither true nor false")
    return value


def _choice(row: Mapping[str, Any], key: str, known: tuple[str, ...], place: str, default: str) -> str:
    value = row.get(key, default)
    if value not in known:
        raise ConfigError(f"{place}.{key}: {value!r} is not known", remedy=f"use {' or '.join(known)}")
    return str(value)


def _words(row: Mapping[str, Any], key: str, known: Iterable[str] | None, place: str) -> tuple[str, ...]:
    value = row.get(key, [])
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise ConfigError(f"{place}.{key}: {value!r} is no list of names")
    for word in words:
        if known is not None and word not in known:
            raise ConfigError(f"{place}.{key}: no kind is called {word!r}", remedy=f"known: {', '.join(known)}")
    return tuple(words)


def _label(row: Mapping[str, Any], name: str, place: str) -> tuple[str, str]:
    label = row.get("label", {})
    if isinstance(label, str):
        return label, label
    table = _table(label, f"{place}.label")
    english = str(table.get("en") or name)
    return english, str(table.get("zh") or english)


def _quantity(row: Mapping[str, Any], derive: Derive | None, place: str) -> str:
    value = row.get("quantity")
    if value is None and derive is not None and derive.form == "aqi":
        return "aqi"
    if value is None:
        raise ConfigError(f"{place}.quantity is missing", remedy="which quantity or signal is watched?")
    if value not in QUANTITIES and value not in SIGNALS:
        near = [known for known in (*QUANTITIES, *SIGNALS) if str(value).split("_")[0] in known]
        raise ConfigError(
            f"{place}.quantity: the catalogue has no {value!r}",
            remedy=f"did you mean {', '.join(near[:4])}?" if near else "see edge/model/quantities.py",
        )
    return str(value)


def _of(row: dict[str, Any], quantity: str, place: str) -> str:
    value = row.get("of", "")
    if value and (quantity != "doubt_s" or value not in QUANTITIES):
        raise ConfigError(f"{place}: {value!r} is out of place", remedy="of names the quantity of doubt_s")
    return str(value)


def _direction(derive: Derive | None) -> str:
    return "below" if derive is not None and derive.form == "forecast" else "above"


def _unit(quantity: str, derive: Derive | None) -> str:
    own = QUANTITIES[quantity].unit if quantity in QUANTITIES else SIGNALS.get(quantity, "")
    return own if derive is None else FORMS[derive.form].unit(own)


def _given(table: Any, place: str) -> Given:
    row = _table(table, place)
    for key in row:
        if key not in ("quantity", "at_least", "at_most"):
            raise ConfigError(f"{place}: unknown key {key!r}", remedy="known: quantity, at_least, at_most")
    if row.get("quantity") not in QUANTITIES:
        raise ConfigError(f"{place}.quantity: the catalogue has no {row.get('quantity')!r}")
    for key in ("at_least", "at_most"):
        if isinstance(row.get(key, 0), bool) or not isinstance(row.get(key, 0), int | float):
            raise ConfigError(f"{place}.{key}: {row[key]!r} is no number")
    low, high = float(row.get("at_least", float("-inf"))), float(row.get("at_most", float("inf")))
    return Given(quantity=str(row["quantity"]), low=low, high=high)


def _zone(name: Any, where: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigError(
            f"{where}: no time zone is called {name!r}", remedy='write zone = "Asia/Shanghai"'
        ) from None
    return str(name)
