"""What the terminal shows: each stage a line that stays, what failed in a box that says what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from edge.field.diagnosis import FieldError
from edge.field.doctor import Level, Verdict, summary
from edge.field.stages import ABOUT, Course, State, Step

_MARKS = {
    State.WAITING: Text("·", style="dim"),
    State.DONE: Text("✓", style="bold green"),
    State.KEPT: Text("=", style="green"),
    State.FAILED: Text("✗", style="bold red"),
}
_LEVELS = {
    Level.PAST: ("·", "dim", "dim"),
    Level.GOOD: ("✓", "green", ""),
    Level.WATCH: ("!", "yellow", "yellow"),
    Level.BAD: ("✗", "bold red", "red"),
}
_STAGE_WIDTH = 9
_DETAIL_WIDTH = 52
_BAR_WIDTH = 16


class CourseScreen:
    """Shows a course while it runs: alive on a terminal, a line a stage elsewhere."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._course: Course | None = None
        self._told: set[str] = set()
        self._spinner = Spinner("dots", style="cyan")

    def changed(self, course: Course) -> None:
        """Take note of a change; `Course` calls this."""
        self._course = course
        if self._console.is_terminal:
            return
        for step in course.steps.values():
            if step.state in (State.DONE, State.KEPT, State.FAILED) and step.stage not in self._told:
                self._told.add(step.stage)
                self._console.print(_plain(step), soft_wrap=True, markup=False, highlight=False)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show it until the body ends; the last picture stays."""
        if not self._console.is_terminal:
            self._console.print(self._title, markup=False, highlight=False)
            yield
            return
        with Live(get_renderable=self.picture, console=self._console, refresh_per_second=8):
            yield

    def picture(self) -> RenderableType:
        """Return the present picture."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=_STAGE_WIDTH)
        table.add_column(width=_DETAIL_WIDTH, no_wrap=True, overflow="ellipsis")
        table.add_column(width=7, justify="right")
        for step in self._course.steps.values() if self._course else ():
            table.add_row(*self._row(step))
        return Group(Text(self._title, style="bold"), Text(), Padding(table, (0, 0, 0, 1)), Text())

    def _row(self, step: Step) -> Iterator[RenderableType]:
        waiting, running = step.state is State.WAITING, step.state is State.RUNNING
        yield self._spinner if running else _MARKS[step.state]
        style = (
            "dim" if waiting else "bold cyan" if running else "bold red" if step.state is State.FAILED else ""
        )
        yield Text(step.stage.value, style=style)
        words = step.detail or (ABOUT[step.stage] if waiting or running else "")
        if step.fraction is not None and running:
            bar = Table.grid(padding=(0, 1))
            bar.add_row(ProgressBar(1.0, step.fraction, width=_BAR_WIDTH), Text(words))
            yield bar
        else:
            yield Text(words, style="dim" if waiting or step.state is State.KEPT else "")
        yield Text("" if waiting or running else _seconds(step.seconds), style="dim")


def show_error(console: Console, error: FieldError, *, staged: bool = True) -> None:
    """Show a failure: the stage if the work has stages, the cause, and what to do next, the likeliest first."""
    title = f"stopped at {error.stage}" if staged else "not done"
    steps = Table.grid(padding=(0, 1))
    for number, remedy in enumerate(error.remedies, start=1):
        steps.add_row(Text(f"{number}", style="bold"), Text(remedy))
    inside = Group(
        Text(error.cause, style="bold"), Text(), Text("What to do, the likeliest first:", style="dim"), steps
    )
    panel = Panel(
        inside,
        title=f"[bold red]{title}[/]",
        title_align="left",
        subtitle=f"[dim]exit code {error.exit_code}[/]",
        subtitle_align="right",
        border_style="red",
        width=min(console.width, 80),
        padding=(1, 2),
    )
    console.print(panel if console.is_terminal else _error_lines(error, title), highlight=False, soft_wrap=True)


def show_success(console: Console, title: str, rows: Sequence[tuple[str, str]], then: Sequence[str]) -> None:
    """Show what was reached, and what comes next."""
    table = Table.grid(padding=(0, 2))
    for name, text in rows:
        if text:
            table.add_row(Text(name, style="dim"), Text(text))
    parts: list[RenderableType] = [table]
    if then:
        parts += [Text(), Text("Next:", style="dim"), *(Text(f"  {line}") for line in then)]
    if not console.is_terminal:
        console.print(title, markup=False, highlight=False)
        for name, text in (*rows, *(("next", line) for line in then)):
            console.print(f"  {name}: {text}", markup=False, highlight=False, soft_wrap=True)
        return
    console.print(
        Panel(
            Group(*parts),
            title=f"[bold green]{title}[/]",
            title_align="left",
            border_style="green",
            width=min(console.width, 80),
            padding=(1, 2),
        ),
        highlight=False,
    )


def show_verdicts(console: Console, node: str, found: Sequence[Verdict]) -> None:
    """Show how a node is: the sum of it first, then a line for each thing looked at."""
    whole = summary(list(found))
    mark, style, words = _LEVELS[whole.level]
    console.print(Text.assemble((f"{mark} ", style), (node, "bold"), "  ", (whole.text, words)))
    if whole.remedy:
        console.print(Text(f"  → {whole.remedy}"))
    console.print()
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True, min_width=18)
    table.add_column(overflow="fold")
    for verdict in found:
        mark, style, words = _LEVELS[verdict.level]
        text = Text(verdict.text, style=words)
        if verdict.remedy:
            text.append(f"\n→ {verdict.remedy}", style="default")
        table.add_row(Text(mark, style=style), Text(verdict.about), text)
    console.print(Padding(table, (0, 0, 0, 1)))


def print_json(value: object) -> None:
    """Print one line of JSON for a program."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _plain(step: Step) -> str:
    mark = {State.DONE: "ok", State.KEPT: "kept", State.FAILED: "FAILED"}[step.state]
    return f"{step.stage.value:<{_STAGE_WIDTH}} {mark:<6} {_seconds(step.seconds):>8}  {step.detail}".rstrip()


def _error_lines(error: FieldError, title: str) -> Text:
    lines = [f"{title}: {error.cause}"]
    lines += [f"  {number}. {remedy}" for number, remedy in enumerate(error.remedies, start=1)]
    return Text("\n".join(lines))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
