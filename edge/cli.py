"""The command of a node: `agent run` on a Raspberry Pi or any Linux board."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from edge.board import BoardConfig, BoardTime, FileSampler, load_board, reboot_soon
from edge.boot import next_boot
from edge.computer import Obedience, run_agent
from edge.outbox import Counts

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def agent() -> None:
    """Run this computer as a sensor node."""


@app.command("run")
def run(
    config: Annotated[Path, typer.Option("--config", help="agent.toml; see edge/agent.sample.toml.")],
    for_s: Annotated[float | None, typer.Option("--for", help="End after so many seconds.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
) -> None:
    """Read the board's sensors and send what they say, until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    board = load_board(config)
    boot = next_boot(board.data / f"{board.node.id}.boot")
    counts = asyncio.run(_run(board, boot, for_s))
    typer.echo(
        f"produced {counts.produced}  acknowledged {counts.acknowledged}  held {counts.held}"
        f"  dropped {counts.dropped}"
    )


async def _run(board: BoardConfig, boot: int, for_s: float | None) -> Counts:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if for_s is not None:
        loop.call_later(for_s, stop.set)
    return await run_agent(
        board.node,
        FileSampler(board.sensors),
        board.broker,
        boot=boot,
        stop=stop,
        time_source=BoardTime(),
        period_s=board.period_s,
        config=board.agent,
        may=Obedience(
            folder=board.data,
            settings={"kind": board.node.kind, "broker": str(board.broker), "sensors": list(board.quantities)},
            reboot=reboot_soon if board.allow_reboot else None,
        ),
    )
