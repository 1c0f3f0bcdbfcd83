"""The commands of the rules: `check` a file, `show` what is in force, `test` rules on recorded series."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge.config import load_toml
from edge.model.alert import Episode
from edge.model.errors import ConfigError
from edge.quality.limits import NO_OVERRIDES, load_limits
from edge.rules.backtest import Recorded, backtest, without_thresholds
from edge.rules.load import load_rules
from edge.rules.plot import draw
from edge.rules.rule import Rule
from edge.rules.table import read_nodes, read_series

app = typer.Typer(no_args_is_help=True, add_completion=False)

DefaultsOption = Annotated[
    bool, typer.Option("--defaults/--no-defaults", help="Begin with the rules that are shipped.")
]


@app.callback()
def rules() -> None:
    """Check, show and backtest rules; docs/rules.md says how to write one."""


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(metavar="R.toml...", help="Files with rules.")]) -> None:
    """Read files with rules, and say what is wrong with them."""
    for path in files:
        found = load_rules([path], defaults=False)
        typer.echo(f"{path}: {len(found)} rules, nothing wrong")


@app.command("show")
def show(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[R.toml...]")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only what covers nodes of this kind.")] = None,
    defaults: DefaultsOption = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Print the rules in force."""
    table = Table("rule", "watches", "blue 蓝", "yellow 黄", "orange 橙", "red 红", "for", "keeps", box=None)
    for rule in load_rules(files or [], defaults=defaults):
        if kind is not None and rule.kinds and kind not in rule.kinds:
            continue
        levels = {step.level.word: f"{step.enter} / {step.leave}" for step in rule.steps}
        if as_json:
            row = {
                "rule": rule.name,
                "label": {"en": rule.label_en, "zh": rule.label_zh},
                "watches": watched(rule),
            }
            print(json.dumps(row | {"levels": levels, "kinds": rule.kinds}, ensure_ascii=False))
            continue
        cells = [levels.get(word, "") for word in ("blue", "yellow", "orange", "red")]
        table.add_row(rule.name, watched(rule), *cells, lasting(rule.for_ms), lasting(rule.keep_ms))
    if not as_json:
        Console(width=max(120, Console().width)).print(table)


@app.command("test")
def test(
    series: Annotated[
        Path,
        typer.Option("--series", metavar="IN.csv", help="Columns time, node, quantity, value; perhaps qc."),
    ],
    files: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="R.toml", help="Else the defaults.")
    ] = None,
    nodes: Annotated[
        Path | None, typer.Option("--nodes", metavar="NODES.json", help="Kinds and stages of the nodes.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="OUT.html", help="Draw series and episodes.")
    ] = None,
    quality: Annotated[
        Path | None, typer.Option("--quality", metavar="C.toml", help="Limits for the quality checks.")
    ] = None,
    qc: Annotated[bool, typer.Option("--qc/--no-qc", help="Check values that have no qc.")] = True,
    defaults: Annotated[bool, typer.Option("--with-defaults", help="The shipped rules beside R.toml.")] = False,
) -> None:
    """Print the episodes that rules would have found, as JSON lines; times come from the data alone."""
    if plot is not None and plot.suffix not in (".html", ".svg"):
        raise ConfigError(
            f"cannot draw {plot.suffix or plot}", remedy="name it .html or .svg; a browser prints it"
        )
    found = load_rules(files or [], defaults=defaults or not files)
    recorded = read_series(series, read_nodes(nodes) if nodes else {}, found)
    limits = load_limits(load_toml(quality), str(quality)) if quality else NO_OVERRIDES
    _tell(found, recorded, nodes)
    checks = limits if qc else None
    episodes = backtest(found, recorded, checks=checks)
    for episode in episodes:
        print(json.dumps(told(episode), ensure_ascii=False))
    if plot is not None:
        plot.write_text(draw(found, recorded, episodes, checks, whole=plot.suffix == ".html"), encoding="utf-8")


def told(episode: Episode) -> dict[str, object]:
    """Return an episode as `rules test` prints it; `level` is the highest."""
    return {
        "rule": episode.rule,
        "node": episode.node,
        "quantity": episode.quantity,
        "level": episode.highest.word,
        "start": iso(episode.start_ms),
        "end": None if episode.end_ms is None else iso(episode.end_ms),
        "peak": None if episode.peak is None else round(episode.peak, 6),
        "peak_time": iso(episode.peak_ms),
        **({"note": dict(episode.note)} if episode.note else {}),
    }


def iso(t_ms: int) -> str:
    """Return a time as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(t_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if t_ms % 1000 else "seconds").replace("+00:00", "Z")


def watched(rule: Rule) -> str:
    """Return in a few words what a rule looks at."""
    what = rule.quantity
    if rule.derive is not None:
        how = rule.derive.other or lasting(rule.derive.over_ms)
        what = f"{rule.derive.form} of {what}, {how}" if how else what
    return f"{what} {'<=' if rule.below else '>='}"


def lasting(ms: int) -> str:
    """Return a duration as people write it."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if ms >= size and ms % size == 0:
            return f"{ms // size} {unit}"
    return f"{ms} ms" if ms else ""


def _tell(rules: Sequence[Rule], recorded: dict[str, Recorded], nodes: Path | None) -> None:
    """Say on stderr what a user would else wonder about."""
    for name, one in recorded.items():
        known = f"kind {one.node.kind}" + ("" if nodes else " (no --nodes: guessed from what it measures)")
        lacking = without_thresholds(rules, one.node)
        print(
            f"{name}: {known}, {len(one.readings):,} readings, one every {one.period_s:g} s"
            + (f"; no stages for {', '.join(lacking)}" if lacking else ""),
            file=sys.stderr,
        )
