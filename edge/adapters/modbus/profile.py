"""A device's registers as data: what stands where, in which form and unit, and what can be written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from edge.adapters.modbus.request import BITS, COILS, HOLDING, READS, WRITE_COIL, WRITE_REGISTER
from edge.config import load_toml, read_table
from edge.model.errors import ConfigError

_FOLDER = Path(__file__).parent / "profiles"
_KEY = re.compile(r"[a-z][a-z0-9_]{0,47}")
_WORDS = {"u16": 1, "i16": 1, "signed_magnitude": 1, "flag": 1, "u32": 2, "i32": 2, "f32": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A [[value]]: number = raw * factor / 10^decimals, in the unit that the key names.

    `signed_magnitude` has its sign in the top bit; a `flag` is yes where the register is not 0. `word_order`
    says which half of 32 bits comes first. `decimals_from` is the register beside it that says how many
    decimals there are, instead of `decimals`. `missing` is the raw value that means "none". A counter only
    grows, but for restarts: what it grew by between two readings is reported as `increment`. `word` is what the
    gateway gets it as, where the key would mean something else there.
    """

    key: str
    register: int
    type: Literal["u16", "i16", "signed_magnitude", "flag", "u32", "i32", "f32"] = "u16"
    word_order: Literal["high_first", "low_first", ""] = ""
    decimals: int = 0
    factor: int = 1
    decimals_from: int | None = None
    missing: int | None = None
    form: Literal["gauge", "counter"] = "gauge"
    increment: str = ""
    group: str = ""
    function: int | None = None
    word: str = ""

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        return _WORDS[self.type]

    @property
    def span(self) -> range:
        """The registers that must be read for it."""
        own = range(self.register, self.register + self.words)
        if self.decimals_from is None:
            return own
        return range(min(own.start, self.decimals_from), max(own.stop, self.decimals_from + 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """An [[output]]: what may be written, in raw steps from `low` to `high`, and is read back there.

    `function` is 6 (register) or 5 (coil, 0 or 1).
    """

    key: str
    register: int
    low: int
    high: int
    function: int = WRITE_REGISTER


@dataclass(frozen=True, kw_only=True, slots=True)
class _Head:
    """The keys of a profile before its tables."""

    title: str
    also: tuple[str, ...] = ()
    function: int = 3
    word_order: Literal["high_first", "low_first"] = "high_first"
    max_registers: int = 125
    registers_are_values: bool = False
    must_say_fitted: bool = False
    baud: int = 9600


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A kind of device, `also` under other names.

    `groups` are asked once in so many rounds, what has no group in every one.

    `registers_are_values`: a register number names a value, of 32 bits as well: each is asked by itself.
    `must_say_fitted`: sensors that are not there read 0, so a device's configuration says which are.
    """

    name: str
    title: str
    also: tuple[str, ...]
    function: int
    word_order: str
    max_registers: int
    registers_are_values: bool
    must_say_fitted: bool
    baud: int
    rows: tuple[Row, ...]
    outputs: tuple[Output, ...] = ()
    groups: Mapping[str, int] = field(default_factory=dict)

    @property
    def polled(self) -> tuple[Row, ...]:
        """All that is read: the values, and how the outputs stand."""
        return (*self.rows, *map(_row_of, self.outputs))

    def fitted(self, keys: Iterable[str]) -> tuple[Row, ...]:
        """Return what is read of these keys, all for none. Raises ConfigError for a key that is not there."""
        wanted = frozenset(keys)
        known = ", ".join(row.key for row in self.polled)
        if unknown := wanted - {row.key for row in self.polled}:
            raise ConfigError(
                f"profile {self.name} has no {', '.join(sorted(unknown))}", remedy=f"it has {known}"
            )
        if self.must_say_fitted and not wanted:
            raise ConfigError(
                f"profile {self.name}: `fitted` is missing: sensors that are not there read 0",
                remedy=f"list those that are there, of {known}",
            )
        return tuple(row for row in self.polled if not wanted or row.key in wanted)

    def output(self, key: str) -> Output:
        """Return what may be written under this key. Raises ConfigError."""
        for output in self.outputs:
            if output.key == key:
                return output
        known = ", ".join(output.key for output in self.outputs) or "nothing"
        raise ConfigError(f"profile {self.name}: {key} cannot be written", remedy=f"what can: {known}")


def _row_of(output: Output) -> Row:
    if output.function == WRITE_COIL:
        return Row(key=output.key, register=output.register, type="flag", function=COILS)
    return Row(key=output.key, register=output.register, function=HOLDING)


@cache
def shipped() -> Mapping[str, Profile]:
    """Return the profiles that come with the project, by all their names."""
    found = [load(path) for path in sorted(_FOLDER.glob("*.toml"))]
    return {name: each for each in found for name in (each.name, *each.also)}


def profile(name: str) -> Profile:
    """Return a shipped profile by its name, or one of the user's by the path of its .toml file."""
    if name.endswith(".toml"):
        return load(Path(name).expanduser())
    if name not in shipped():
        raise ConfigError(
            f"no Modbus profile {name!r}",
            remedy=f"one of {', '.join(shipped())}, or the path of a .toml file of your own",
        )
    return shipped()[name]


def load(path: Path) -> Profile:
    """Return the profile of a file; ConfigError names the file, the table and the key that is wrong."""
    table = load_toml(path)
    place = path.name
    head = read_table(
        _Head, {key: table[key] for key in table if key not in ("value", "output", "group")}, place
    )
    made = Profile(
        name=path.stem,
        **{name: getattr(head, name) for name in _Head.__slots__},
        rows=_tables(Row, table, "value", place),
        outputs=_tables(Output, table, "output", place),
        groups=_groups(table.get("group", {}), place),
    )
    _check(made, place)
    return made


def _tables(cls: type[Any], table: Mapping[str, Any], key: str, place: str) -> tuple[Any, ...]:
    found = table.get(key, [])
    if not isinstance(found, list):
        raise ConfigError(f"{place}: {key} is not [[{key}]]")
    return tuple(read_table(cls, item, f"{place} [[{key}]] {index}") for index, item in enumerate(found, 1))


def _groups(table: Any, place: str) -> dict[str, int]:
    if not isinstance(table, dict) or not all(type(every) is int and every > 0 for every in table.values()):
        raise ConfigError(f"{place} [group]: a group's name = once in so many rounds, 1 or more")
    return table


def _check(made: Profile, place: str) -> None:
    """Raise ConfigError for what can be read but makes no sense."""
    if not made.rows and not made.outputs:
        raise ConfigError(f"{place} has neither [[value]] nor [[output]]")
    if made.function not in READS:
        raise ConfigError(f"{place}: function {made.function} reads nothing", remedy="1, 2, 3 or 4")
    if not 1 <= made.max_registers <= 125:
        raise ConfigError(f"{place}: max_registers is {made.max_registers}", remedy="1 to 125")
    keys = [row.key for row in made.rows] + [row.increment for row in made.rows if row.increment]
    for key in [*keys, *(output.key for output in made.outputs)]:
        if not _KEY.fullmatch(key):
            raise ConfigError(f"{place}: {key!r} is no key", remedy="small letters, digits and _")
    if doubles := {key for key in keys if keys.count(key) > 1}:
        raise ConfigError(f"{place}: {', '.join(sorted(doubles))} stands there twice")
    for row in made.rows:
        _check_row(made, row, f"{place} {row.key}")
    for output in made.outputs:
        _check_output(output, f"{place} {output.key}")


def _check_row(made: Profile, row: Row, place: str) -> None:
    function = row.function or made.function
    if function not in READS:
        raise ConfigError(f"{place}: function {function} reads nothing", remedy="1, 2, 3 or 4")
    if function in BITS and row.type != "flag":
        raise ConfigError(f"{place}: function {function} reads bits", remedy='type = "flag"')
    if not 0 <= row.register <= 0x10000 - row.words:
        raise ConfigError(f"{place}: register {row.register} is not in 0..65535")
    if not 0 <= row.decimals <= 9 or row.factor < 1:
        raise ConfigError(f"{place}: decimals are 0 to 9, factor is 1 or more")
    if row.decimals_from is not None and len(row.span) != row.words + 1:
        raise ConfigError(f"{place}: decimals_from is not the register before or after")
    if row.group and row.group not in made.groups:
        raise ConfigError(f"{place}: no group {row.group!r}", remedy=f"[group] {row.group} = 10")
    if row.increment and row.form != "counter":
        raise ConfigError(f"{place}: only a counter has an increment", remedy='form = "counter"')
    if row.words > made.max_registers:
        raise ConfigError(f"{place}: does not fit into max_registers")


def _check_output(output: Output, place: str) -> None:
    if output.function not in (WRITE_COIL, WRITE_REGISTER):
        raise ConfigError(f"{place}: function {output.function} is not for outputs", remedy="5 or 6")
    top = 1 if output.function == WRITE_COIL else 0xFFFF
    if not 0 <= output.low < output.high <= top:
        raise ConfigError(f"{place}: low and high are not in 0..{top}, in this order")
    if not 0 <= output.register <= 0xFFFF:
        raise ConfigError(f"{place}: register {output.register} is not in 0..65535")
