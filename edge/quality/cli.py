"""The command `qc`: the gateway's checks over a table of recorded values."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TextIO

import typer

from edge.config import load_toml
from edge.quality.history import ADDED, History, TableError
from edge.quality.limits import NO_OVERRIDES, load_limits

_TELL_EVERY = 100_000


def qc(
    table: Annotated[
        str, typer.Argument(metavar="IN.csv", help="Columns time, node, quantity, value; - for stdin.")
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="Limits; see edge/quality/quality.sample.toml.")
    ] = None,
) -> None:
    """Check recorded values: the same rows come out with two more columns.

    qc is 1 pass, 2 not evaluated, 3 suspect, 4 fail or 9 missing; tests names those that did not pass.
    """
    overrides = load_limits(load_toml(config), str(config)) if config else NO_OVERRIDES
    with ExitStack() as stack:
        lines = sys.stdin if table == "-" else stack.enter_context(_opened(Path(table)))
        reader = csv.reader(lines)
        rows = _numbered(reader)
        header = next(rows, (1, []))[1]
        history = History(overrides, header)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*header, *ADDED])
        count, shows = 0, sys.stderr.isatty()
        try:
            for count, (cells, flag, tests) in enumerate(history.judge(rows), 1):
                writer.writerow([*cells, int(flag), tests])
                if shows and count % _TELL_EVERY == 0:
                    print(f"\r{count:,} rows", end="", file=sys.stderr)
        except BrokenPipeError:  # `| head` has seen enough
            sys.stderr.close()
            return
    if shows and count >= _TELL_EVERY:
        print(f"\r{count:,} rows", file=sys.stderr)
    if history.unknown:
        names = ", ".join(sorted(history.unknown))
        print(f"no limits for {names}: not in the catalogue; define them in the --config", file=sys.stderr)


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise TableError(
            f"cannot read {path}: {error.strerror}", remedy="check the path of the table"
        ) from None


def _numbered(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            raise TableError(f"line {number}: {error}", remedy="give a table as CSV in UTF-8") from None
        if cells:
            yield number, cells
