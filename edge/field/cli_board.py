"""The commands for a board on the cable, or a node in the street: `doctor`, `console`."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Annotated

import typer
from rich.console import Console as Terminal

from edge.field.ask import ask_node
from edge.field.config import Place, find_place
from edge.field.console import Console
from edge.field.diagnosis import Symptom, diagnose
from edge.field.doctor import Level, summary, verdicts
from edge.field.options import (
    CloudOption,
    ConfigOption,
    DataOption,
    JsonOption,
    PortOption,
    TokenOption,
    WhoOption,
    api_of,
    telling,
    terminal,
)
from edge.field.ports import choose_port, seen_ports
from edge.field.screen import print_json, show_verdicts
from edge.field.stages import Stage
from edge.field.status import NodeStatus, read_status
from edge.model.node import node_id

_ANSWER_S = 5.0
_LAST_ANSWER_S = 1.0


def doctor(
    node: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A node in the street, asked by the cloud.")
    ] = None,
    port: PortOption = None,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for a node's reply.")] = 90.0,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how a node is, in plain words: on the cable, or by the cloud when an ID is given. 1: it is unwell."""
    screen = terminal(as_json)
    if node is not None:
        node_id(node)
    with telling(screen, as_json):
        if node is None:
            status = _on_cable(port, screen)
        else:
            place = find_place(cloud=cloud, token_file=token_file, data=data, who=who, config=config)
            status = asyncio.run(_from_afar(place, node, wait_s, screen))
    found = verdicts(status, time.time_ns() // 1_000_000)
    show_verdicts(screen, status.node or node or "the node", found)
    well = summary(found).level is not Level.BAD
    if as_json:
        rows = [verdict.to_dict() for verdict in found]
        print_json({"ok": well, "node": status.node or node, "verdicts": rows, "status": dict(status.raw)})
    if not well:
        raise typer.Exit(1)


def console(
    port: PortOption = None,
) -> None:
    """Talk with a node on the cable: `help` lists what it understands. Ctrl-D or Ctrl-] and Enter leaves."""
    screen = terminal()
    with telling(screen):
        device = choose_port(port, seen_ports()).device
        with Console(device) as node:
            screen.print(f"[dim]{device}; `help` for help, Ctrl-D leaves[/]", highlight=False)
            talk(node)


def talk(node: Console) -> None:
    """Carry lines between the terminal and a node until its standard input ends."""
    ended = threading.Event()
    failed: list[Exception] = []

    def hear() -> None:
        try:
            while not ended.is_set():
                for line in node.lines(0.2):
                    print(line, flush=True)
        except Exception as error:  # told by the main thread, which alone may end the command
            failed.append(error)

    listener = threading.Thread(target=hear, name="console", daemon=True)
    listener.start()
    try:
        for line in sys.stdin:
            if failed or "\x1d" in line:
                break
            node.send(line.rstrip("\r\n"))
        if not failed and not sys.stdin.isatty():
            time.sleep(_LAST_ANSWER_S)  # what was piped in gets its answer
    except KeyboardInterrupt:
        pass  # the usual way to leave
    finally:
        ended.set()
        listener.join()
    if failed:
        raise failed[0]


def _on_cable(port: str | None, screen: Terminal) -> NodeStatus:
    device = choose_port(port, seen_ports()).device
    with Console(device) as node, screen.status(f"asking the node on {device}"):
        status = node.status(_ANSWER_S)
    if status is None:
        raise diagnose(Symptom.NODE_MUTE, stage=Stage.PORT, port=device)
    return status


async def _from_afar(place: Place, node: str, wait_s: float, screen: Terminal) -> NodeStatus:
    async with api_of(place) as api:
        with screen.status(f"asking {node}: it answers when it is heard next") as waiting:
            reply = await ask_node(
                api, node, "status", {}, who=place.who, wait_s=wait_s,
                changed=lambda row: waiting.update(f"asking {node}: {row['state']}"),
            )  # fmt: skip
    detail = reply.get("detail")
    return read_status({"node": node, **(detail if isinstance(detail, dict) else {})})
