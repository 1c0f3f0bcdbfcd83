"""TOML tables -> frozen dataclasses: parsed once, every mistake named with file, table and key."""

from __future__ import annotations

import dataclasses
import math
import os
import stat
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge.model.errors import ConfigError

T = TypeVar("T")
_NAMES: Mapping[Any, str] = {tuple: "a list", dict: "a table"}
"""What people call in TOML what has another name here."""


def load_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file, or raise ConfigError saying what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", remedy="check the path of the configuration") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def read_table(cls: type[T], table: Any, place: str) -> T:
    """Build the dataclass `cls` from a TOML table; unknown keys and wrong types raise ConfigError."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table")
    assert dataclasses.is_dataclass(cls)
    hints = typing.get_type_hints(cls)
    known = {item.name: item for item in dataclasses.fields(cls)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{place}: unknown key {key!r}", remedy=f"known: {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, item in known.items():
        if name in table:
            values[name] = _convert(table[name], hints[name], f"{place}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{place}: {name} is missing")
    return cls(**values)


def read_secret(path: Path | None) -> str | None:
    """Return the first line of a secret's file, which only its owner may read; None stays None."""
    if path is None:
        return None
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"others may read {path}", remedy=f"chmod 600 {path}")
    if not text:
        raise ConfigError(f"{path} is empty", remedy="write the secret into it")
    return text


def _convert(value: Any, hint: Any, place: str) -> Any:
    if isinstance(hint, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return _convert(value, options[0], place)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_table(hint, value, place)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ConfigError(f"{place}: {value} is no number to reckon with")
        return float(value)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        each = typing.get_args(hint)[0]
        return tuple(_convert(item, each, f"{place}[{index}]") for index, item in enumerate(value))
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise ConfigError(f"{place}: {value!r} is none of {', '.join(map(repr, allowed))}")
        return value
    if typing.get_origin(hint) is dict and isinstance(value, Mapping):
        return {key: _convert(item, typing.get_args(hint)[1], f"{place}.{key}") for key, item in value.items()}
    if hint is Any or (isinstance(hint, type) and type(value) is hint):
        return value
    named = _NAMES.get(typing.get_origin(hint) or hint, getattr(hint, "__name__", hint))
    remedy = f'in quotes: "{value}"' if hint is str and type(value) in (int, float) else ""
    raise ConfigError(f"{place}: {value!r} is not {named}", remedy=remedy)
