"""What a person sees of a scan: the protocol and setting being tried, how far it is, who answered."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gateway.sources.scan import Device, Step


class Watch:
    """Shows a scan on a terminal, and keeps who was found. `shown` is the context in which it is drawn."""

    def __init__(self, console: Console) -> None:
        self.devices: list[Device] = []
        self._console = console
        self.shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[what]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def begins(self, step: Step, questions: int) -> None:
        """Show what is tried now."""
        if self._task is not None:
            self.shown.remove_task(self._task)
        self._task = self.shown.add_task(setting(step), total=questions, what="")

    def asked(self, what: str, more: int = 0) -> None:
        """Show how far it is."""
        assert self._task is not None
        total = self.shown.tasks[-1].total or 0
        self.shown.update(self._task, advance=1, total=total + more, what=what)

    def found(self, device: Device) -> None:
        """Keep and show one that answered."""
        self.devices.append(device)
        self._console.print(f"[green]✓[/] {setting(device.step)}  [bold]{device.id}[/]")


def setting(step: Step) -> str:
    """Say which protocol at which setting."""
    return f"{step.protocol:<15} {step.baud:>6} 8{step.parity}1"
