"""`cityneuron dashboards`: generate the boards, check them, bring them to a Grafana and try them there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboards import build as generated
from dashboards import describe as page
from dashboards import smoke as trial
from dashboards.boards import boards
from dashboards.check import check as judge
from dashboards.check.files import Files, read
from dashboards.grafana import Grafana
from dashboards.plan import Step, Verdict
from dashboards.push import FOLDER
from dashboards.push import diff as compare
from dashboards.push import push as bring

app = typer.Typer(
    help="Grafana dashboards, generated from the catalogue.", no_args_is_help=True, add_completion=False
)
_console = Console(highlight=False, soft_wrap=True)

Url = Annotated[str, typer.Option(help="Grafana's address.", envvar="GRAFANA_URL")]
Token = Annotated[str, typer.Option(help="Service account token, Editor role.", envvar="GRAFANA_TOKEN")]
Folder = Annotated[str, typer.Option(help="Folder in Grafana.")]
Alerting = Annotated[
    Path | None,
    typer.Option(help="Folder of alert files to bring too (Admin role; $NAMES from the environment)."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what people changed in Grafana.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]

_HERE = "http://127.0.0.1:3000"
_COLOURS = {
    Verdict.NEW: "green",
    Verdict.CHANGED: "yellow",
    Verdict.GONE: "yellow",
    Verdict.KEPT: "magenta",
    Verdict.FILE: "magenta",
}


@app.command()
def build(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file is not current.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the generated files.")] = generated.GENERATED,
) -> None:
    """Generate the dashboard files."""
    if check:
        generated.check(out)
        _console.print("dashboards are current")
        return
    written = generated.write(out)
    _console.print(f"written: {', '.join(written)}" if written else "dashboards were current")


@app.command()
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders of boards and alert files; without any, ours.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge boards and alert files without a Grafana; exit code 1 if anything is wrong."""
    found = judge(paths or ())
    if as_json:
        typer.echo(json.dumps([fault.to_dict() for fault in found], ensure_ascii=False, indent=1))
    elif not found:
        _console.print("nothing is wrong")
    for file in [] if as_json else dict.fromkeys(fault.file for fault in found):
        _console.print(f"[bold]{escape(file)}[/]")
        for fault in found:
            if fault.file == file:
                _console.print(f"  {escape(fault.where)}: [red]{escape(fault.what)}[/]")
                _console.print(f"    try: {escape(fault.remedy)}")
    if found:
        typer.echo(f"{len(found)} fault{'s' if len(found) > 1 else ''}", err=True)
        raise typer.Exit(1)


@app.command()
def push(
    url: Url = _HERE,
    token: Token = "",
    folder: Folder = FOLDER,
    alerting: Alerting = None,
    force: Force = False,
) -> None:
    """Bring the boards into a running Grafana; what people changed there is kept."""
    _print_steps(bring(Grafana(url, token), folder, _alert_files(alerting), force=force), url)


@app.command()
def diff(
    url: Url = _HERE,
    token: Token = "",
    folder: Folder = FOLDER,
    alerting: Alerting = None,
    force: Force = False,
) -> None:
    """Show what `push` would do; write nothing."""
    _print_steps(compare(Grafana(url, token), folder, _alert_files(alerting), force=force), url, in_detail=True)


@app.command()
def smoke(
    url: Url = _HERE,
    token: Token = "",
    folder: Folder = FOLDER,
    since: Annotated[str, typer.Option(help="How far back to ask.")] = "now-24h",
    push_first: Annotated[bool, typer.Option("--push/--no-push", help="Push the boards first.")] = True,
    as_json: AsJson = False,
) -> None:
    """Push, then ask Grafana every query of every board and how its rules fare; exit code 1 if one fails."""
    grafana = Grafana(url, token)
    if push_first:
        for step in bring(grafana, folder):
            if step.verdict in (Verdict.KEPT, Verdict.FILE):
                _console.print(f"{escape(step.name)}: {escape(step.note)}", style="magenta")
    answers = [*trial.ask(grafana, [board.to_dict() for board in boards()], since), *trial.rules(grafana)]
    if as_json:
        typer.echo(json.dumps([_row(answer) for answer in answers], ensure_ascii=False, indent=1))
    else:
        _print_answers(answers)
    if any(answer.health is trial.Health.FAILED for answer in answers):
        raise typer.Exit(1)


@app.command()
def describe(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the page is not current.")
    ] = False,
) -> None:
    """Write docs/grafana-boards.md: each board, panel by panel."""
    if check:
        page.check()
        _console.print(f"{page.PAGE.name} is current")
    else:
        _console.print(f"written: {page.PAGE.name}" if page.write() else f"{page.PAGE.name} was current")


def _alert_files(folder: Path | None) -> Files | None:
    return None if folder is None else read([folder])


def _print_steps(steps: Iterable[Step], url: str, *, in_detail: bool = False) -> None:
    counts: dict[Verdict, int] = {}
    for step in steps:
        counts[step.verdict] = counts.get(step.verdict, 0) + 1
        colour = _COLOURS.get(step.verdict, "dim")
        where = f"  {url.rstrip('/')}{step.path}" if step.path else ""
        _console.print(f"[{colour}]{step.verdict:<10}[/] {step.kind} {escape(step.name)}{where}")
        if step.note:
            _console.print(f"           {escape(step.note)}")
        for line in step.differences if in_detail or step.verdict is Verdict.KEPT else ():
            _console.print(f"           {escape(line)}", style="dim")
    _console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _print_answers(answers: list[trial.Answer]) -> None:
    table = Table("board", "panel or rule", "", "rows", "ms", "what was said", box=None)
    for answer in answers:
        colour = {trial.Health.OK: "green", trial.Health.EMPTY: "yellow"}.get(answer.health, "red")
        table.add_row(
            escape(answer.board),
            escape(answer.where),
            f"[{colour}]{answer.health}[/]",
            str(answer.rows),
            str(answer.took_ms),
            escape(answer.said),
        )
    _console.print(table)
    counts = {health: sum(answer.health is health for answer in answers) for health in trial.Health}
    _console.print(", ".join(f"{count} {health}" for health, count in counts.items()))


def _row(answer: trial.Answer) -> dict[str, str | int]:
    return {
        "board": answer.board,
        "where": answer.where,
        "health": answer.health.value,
        "rows": answer.rows,
        "took_ms": answer.took_ms,
        "said": answer.said,
    }
