"""The commands for nodes that stand already: `list`, `show`, `tap`, `command`, `update`."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge.field.ask import ask_node, parse_arguments
from edge.field.bundle import read_bundle
from edge.field.cloud import CloudApi
from edge.field.config import find_place
from edge.field.options import (
    CloudOption,
    ConfigOption,
    DataOption,
    JsonOption,
    TokenOption,
    WhoOption,
    api_of,
    telling,
    terminal,
)
from edge.field.rollout import ENDED, headline, ring_lines, troubles
from edge.field.screen import print_json
from edge.field.tap import Tapped, words
from edge.field.tap import tap as tap_broker
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.node import node_id

_STATES = {"ok": "green", "late": "yellow", "suspect": "yellow", "silent": "red"}
_LEAVES = {"birth": "green", "data": "cyan", "replay": "blue", "ack": "dim", "death": "red", "cmd": "magenta",
           "reply": "magenta"}  # fmt: skip
_POLL_S = 2.0


def list_nodes(
    kind: Annotated[str | None, typer.Option("--kind", help="Only nodes of this kind.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only ok, late, suspect or silent ones.")] = None,
    district: Annotated[str | None, typer.Option("--district", help="Only nodes of this district.")] = None,
    trial: Annotated[bool, typer.Option("--trial", help="Only nodes with new firmware on trial.")] = False,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the nodes: state and trial, when they were heard, where they stand."""
    for name, wanted, known in (("state", state, _STATES), ("kind", kind, KINDS)):
        if wanted not in (None, *known):
            raise ConfigError(f"no {name} {wanted!r}", remedy=f"one of {', '.join(known)}")
    place, screen = find_place(cloud=cloud, token_file=token_file, data=data, config=config), terminal(as_json)

    async def work() -> list[dict[str, Any]]:
        async with api_of(place) as api:
            return await api.nodes(kind)

    with telling(screen, as_json):
        rows = asyncio.run(work())
    rows = [row for row in rows if state in (None, row.get("state")) and district in (None, row["district"])]
    rows = [row for row in rows if row.get("trial") or not trial]
    if as_json:
        print_json({"nodes": rows})
        return
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("node", "state", "heard", "kind", "name", "district"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in rows:
        label = row.get("label") or {}
        table.add_row(
            row["id"], _state(row), _heard(row.get("time_ms")), _kind(row["kind"]),
            Text(str(label.get("zh") or label.get("en") or "")), Text(row["district"]),
        )  # fmt: skip
    screen.print(table if rows else "no such node")


def show(
    node: Annotated[str, typer.Argument(metavar="ID")],
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a node: place, device, certificate, newest reading, last commands, notes."""
    node_id(node)
    place, screen = find_place(cloud=cloud, token_file=token_file, data=data, config=config), terminal(as_json)

    async def work() -> dict[str, Any]:
        async with api_of(place) as api:
            row = await api.node(node)
            device, latest = await asyncio.gather(api.device(node), api.latest(node))
            return {"node": row, "device": device, "latest": latest, "commands": await api.commands(node)}

    with telling(screen, as_json):
        found = asyncio.run(work())
    if as_json:
        print_json(found)
    else:
        screen.print(_about(found), highlight=False)


def tap(
    node: Annotated[str | None, typer.Argument(metavar="[ID]", help="One node; else all.")] = None,
    broker: Annotated[str | None, typer.Option("--broker", help="mqtt(s)://[user:password@]HOST:PORT.")] = None,
    count: Annotated[int | None, typer.Option("--count", help="End after so many messages.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the messages of nodes as they pass the broker, decoded; births come first. Ctrl-C ends it."""
    if node is not None:
        node_id(node)
    place, screen = find_place(broker=broker, data=data, config=config), terminal(as_json)

    async def work() -> None:
        seen = 0
        async for message in tap_broker(place.need_broker(), node, ca_file=place.config.ca_file):
            if as_json:
                print_json({"time_ms": time.time_ns() // 1_000_000, **message.to_dict()})
            else:
                screen.print(tapped_line(message, named=node is None), highlight=False, soft_wrap=True)
            seen += 1
            if seen == count:
                return

    with telling(screen, as_json):
        try:
            asyncio.run(work())
        except KeyboardInterrupt:
            return  # the usual way to leave


def command(
    node: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="sample, set, settings, status, identify, reboot...")
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[k=v...]")] = None,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for the reply.")] = 90.0,
    expires_s: Annotated[
        int | None, typer.Option("--expires", help="Seconds after which it is not done.")
    ] = None,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a node do something, once, and wait for its reply."""
    node_id(node)
    args = parse_arguments(name, arguments or [])
    place = find_place(cloud=cloud, token_file=token_file, data=data, who=who, config=config)
    screen = terminal(as_json)

    async def work() -> dict[str, Any]:
        async with api_of(place) as api:
            with screen.status(f"{node}: {name}") as waiting:
                return await ask_node(
                    api, node, name, args, who=place.who, wait_s=wait_s, expires_s=expires_s,
                    changed=lambda row: waiting.update(f"{node}: {name}, {row['state']}"),
                )  # fmt: skip

    with telling(screen, as_json):
        row = asyncio.run(work())
    if as_json:
        print_json(row)
        return
    took = ((row.get("replied_ms") or 0) - row["made_ms"]) / 1000
    screen.print(
        f"[green]✓[/] {node}: {name} done{f' after {took:.1f} s' if took > 0 else ''}", highlight=False
    )
    if isinstance(row.get("detail"), dict):
        screen.print(_pairs(row["detail"]), highlight=False)


def update(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="A signed bundle: it is uploaded and rolled out.")
    ] = None,
    node: Annotated[list[str] | None, typer.Option("--node", help="Only this one (repeat for more).")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only nodes of this kind.")] = None,
    district: Annotated[str | None, typer.Option("--district", help="Only nodes of this district.")] = None,
    rings: Annotated[str, typer.Option("--rings", help="Per cent, growing to 100.")] = "1,10,100",
    rollout: Annotated[int | None, typer.Option("--rollout", help="A roll-out that was begun already.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it: nobody else is told.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let it go on.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Show its progress until it ends.")
    ] = True,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Roll a version out ring by ring, and watch; without BUNDLE: show roll-outs. 1: it stopped."""
    if (stop or resume) and (rollout is None or bundle is not None or stop == resume):
        raise ConfigError(
            "which roll-out is to stop or to go on?",
            remedy="--rollout N --stop; `cityneuron node update` lists them",
        )
    if rollout is not None and bundle is not None:
        raise ConfigError("a bundle begins a roll-out of its own", remedy="leave --rollout out, or the bundle")
    place = find_place(cloud=cloud, token_file=token_file, data=data, who=who, config=config)
    screen = terminal(as_json)

    async def work() -> list[dict[str, Any]]:
        async with api_of(place) as api:
            if bundle is not None:
                row = await _begin(api, bundle, _wish(node, kind, district, rings, place.who), screen)
            elif rollout is None:
                return await api.rollouts()
            elif stop or resume:
                row = await api.change_rollout(rollout, "stop" if stop else "resume", place.who)
            else:
                row = await api.rollout(rollout)
            return [await _follow(api, row, screen) if follow else row]

    with telling(screen, as_json):
        try:
            rows = asyncio.run(work())
        except KeyboardInterrupt:
            screen.print("the roll-out goes on; look at it: cityneuron node update, or end it with --stop")
            raise typer.Exit(0) from None
    for row in rows:
        screen.print(rollout_picture(row) if "nodes" in row else Text(headline(row)), highlight=False)
    if not rows:
        screen.print("no roll-out yet; cityneuron node update BUNDLE begins one", highlight=False)
    if as_json:
        print_json({"rollouts": rows} if bundle is None and rollout is None else rows[0])
    if (bundle or rollout) and not stop and rows[0]["state"] == "stopped":
        raise typer.Exit(1)


def tapped_line(message: Tapped, *, named: bool = True) -> Text:
    """Return a message as a line of the terminal; with one node alone its name need not be said each time."""
    style = _LEAVES.get(message.leaf, "") if message.good else "bold red"
    return Text.assemble(
        (f"{datetime.now():%H:%M:%S} ", "dim"),
        (f"{message.node:<16} " if named else "", "bold"),
        (f"{message.leaf:<6} ", style),
        (message.text, "" if message.good else "red"),
        (f"  {message.bytes} B", "dim"),
    )


def rollout_picture(row: dict[str, Any]) -> RenderableType:
    """Return a roll-out: its line, a bar a ring, and what went wrong."""
    bars = Table.grid(padding=(0, 1))
    for name, share, said in ring_lines(row):
        bars.add_row(Text(f"{name:>6}"), ProgressBar(1.0, share, width=24), Text(said))
    parts: list[RenderableType] = [Text(headline(row), style="bold"), bars]
    if row.get("why"):
        parts.append(Text(f"stopped: {row['why']}", style="red"))
    parts += [Text(f"  ✗ {node}  {state}  {why}", style="red") for node, state, why in troubles(row)[:10]]
    if row["state"] == "stopped":
        parts.append(
            Text(f"→ look at one: cityneuron node doctor ID; then: node update --rollout {row['id']} --resume")
        )
    return Group(*parts)


def _wish(
    nodes: list[str] | None, kind: str | None, district: str | None, rings: str, who: str
) -> dict[str, object]:
    try:
        shares = [int(part) for part in rings.split(",")]
    except ValueError:
        raise ConfigError(f"--rings {rings!r}", remedy="write it like 1,10,100") from None
    wish: dict[str, object] = {"rings": [100] if nodes and len(nodes) == 1 else shares, "who": who}
    chosen = {"nodes": nodes, "kind": kind, "district": district}
    return wish | {name: value for name, value in chosen.items() if value}


async def _begin(api: CloudApi, bundle: Path, wish: dict[str, object], screen: Console) -> dict[str, Any]:
    try:
        content = await asyncio.to_thread(bundle.read_bytes)
    except OSError as error:
        raise ConfigError(f"cannot read {bundle}: {error.strerror}") from None
    made = read_bundle(content)
    with screen.status(f"uploading {bundle.name}, {len(content) // 1024} KB"):
        await api.upload(content)
    return await api.start_rollout({"version": made.version, "board": made.board, **wish})


async def _follow(api: CloudApi, row: dict[str, Any], screen: Console) -> dict[str, Any]:
    """Show a roll-out until it ends: a picture that changes on a terminal, a line a change elsewhere."""
    said = ""
    with Live(console=screen, transient=True, auto_refresh=False) as live:
        while row["state"] not in ENDED:
            if screen.is_terminal:
                live.update(rollout_picture(row), refresh=True)
            elif headline(row) != said:
                said = headline(row)
                screen.print(said, highlight=False, soft_wrap=True)
            await asyncio.sleep(_POLL_S)
            row = await api.rollout(int(row["id"]))
    return row


def _about(found: dict[str, Any]) -> RenderableType:
    row, device, latest = found["node"], found["device"] or {}, found["latest"] or {}
    label = row.get("label") or {}
    names = " ".join(dict.fromkeys(str(label.get(each) or "") for each in ("zh", "en")))
    where = f"{row['lat']:.5f}, {row['lon']:.5f}" if row.get("lat") is not None else "no place yet"
    certificate = device.get("certificate") or {}
    until = _day(certificate.get("not_after_ms"))
    rows = {
        "kind": _kind(row["kind"]),
        "place": f"{row['site']}, {row['district']}, {where}",
        "gateway": row.get("gateway") or "–",
        "state": f"{row.get('state')}, heard {_heard(row.get('time_ms'))}",
        "newest": words(latest.get("values") or {}) or "no reading yet",
        "device": device.get("serial") or "never provisioned",
        "firmware": " ".join(
            str(device.get(name)) for name in ("firmware", "hardware") if device.get(name)
        ) + (", new firmware on trial" if device.get("trial") else ""),
        "certificate": f"until {until}" if until else "–",
    }  # fmt: skip
    if device.get("rollout"):
        rows["roll-out"] = _flat(device["rollout"])
    parts: list[RenderableType] = [Text(f"{row['id']}  {names}", style="bold"), _pairs(rows)]
    for title, lines in (
        ("commands", [f"{_heard(each['made_ms'])}  {each['name']}  {each['state']}  {each['who']}"
                      for each in found["commands"][:5]]),
        ("notes", [f"{_heard(each['time_ms'])}  {each['who']}: {each['text']}"
                   for each in (device.get("notes") or [])[-5:]]),
    ):  # fmt: skip
        if lines:
            parts += [Text(title, style="dim"), *(Text(f"  {line}") for line in lines)]
    return Group(*parts)


def _pairs(row: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in row.items():
        table.add_row(Text(str(name), style="dim"), Text(_flat(value)))
    return table


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_flat(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_flat(each) for each in value) or "–"
    return "–" if value is None else str(value)


def _kind(name: str) -> str:
    row = KINDS.get(name)
    return f"{row.label_en}" if row else name


def _state(row: dict[str, Any]) -> Text:
    state = str(row.get("state") or "?")
    return Text.assemble((state, _STATES.get(state, "")), (", on trial" if row.get("trial") else "", "yellow"))


def _heard(time_ms: int | None) -> str:
    if time_ms is None:
        return "never"
    seconds = max(0.0, time.time() - time_ms / 1000)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _day(time_ms: int | None) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000):%Y-%m-%d}" if time_ms else ""
