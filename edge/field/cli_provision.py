"""The commands that make a board a node: `provision`, `flash`, `replace`, `sync`."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace as changed
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from edge.broker import BrokerAddress
from edge.config import read_secret
from edge.field.board import BoardWork, Handling
from edge.field.chips import FlashOptions
from edge.field.cloud import CloudApi
from edge.field.config import Place, find_place
from edge.field.convoy import Convoy, run_convoy
from edge.field.diagnosis import FieldError
from edge.field.image import Layout
from edge.field.make import toolbox
from edge.field.offline import OfflineBundle
from edge.field.options import (
    BaudOption,
    ByOption,
    CloudOption,
    ConfigOption,
    DataOption,
    DigestOption,
    DriveOption,
    EraseOption,
    ImageOption,
    JsonOption,
    PortOption,
    ResetOption,
    SensorOption,
    StubOption,
    TokenOption,
    WhoOption,
    api_of,
    telling,
    terminal,
)
from edge.field.order import Order, check_order, parse_sensor, with_datum
from edge.field.provision import Job, Provision, Success, fitted_in
from edge.field.screen import CourseScreen, print_json, show_success
from edge.field.stages import Course, Stage, exit_code
from edge.field.sync import Synced, tell_cloud
from edge.field.table import Outcomes, read_table
from edge.field.toolbox import Toolbox
from edge.model.errors import ConfigError
from edge.model.node import node_id

WIFI_PASSWORD = "CITYNEURON_WIFI_PASSWORD"
"""The variable that holds the Wi-Fi password, where it is neither typed nor in a file."""
_CONSOLE_HELP = "The node's port after its restart, where it is another."

KindOption = Annotated[str, typer.Option("--kind", help="What it is: water_level, weather, power_meter...")]
WifiOption = Annotated[str | None, typer.Option("--wifi", help="Wi-Fi name (SSID).")]
AskOption = Annotated[bool, typer.Option("--ask-password", help="Type the Wi-Fi password; it is not shown.")]
BrokerOption = Annotated[str | None, typer.Option("--broker", help="mqtts://HOST:PORT for the node.")]
DatumOption = Annotated[
    int | None, typer.Option("--datum-mm", help="Height of a level sensor's face over the gauge's zero.")
]


def provision(
    kind: KindOption = "",
    ident: Annotated[str, typer.Option("--id", help="The node's id; else made of the chip's number.")] = "",
    label: Annotated[str, typer.Option("--label", help="Its name for people.")] = "",
    label_zh: Annotated[str, typer.Option("--label-zh", help="Its name in Chinese.")] = "",
    site: Annotated[str, typer.Option("--site")] = "",
    district: Annotated[str, typer.Option("--district")] = "",
    at: Annotated[str, typer.Option("--at", metavar="LAT,LON", help="Its place, degrees (WGS 84).")] = "",
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway that serves it.")] = "",
    sensor: SensorOption = None,
    datum_mm: DatumOption = None,
    period_s: Annotated[float | None, typer.Option("--period", help="Seconds between readings.")] = None,
    wifi: WifiOption = None,
    ask_password: AskOption = False,
    broker: BrokerOption = None,
    ntp: Annotated[
        str, typer.Option("--ntp", help="Who tells it the time, instead of the cloud's hosts.")
    ] = "",
    table: Annotated[
        Path | None, typer.Option("--csv", help="Many: a row a node; goes on where it ended.")
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option("--offline", metavar="BUNDLE", help="Identities made in advance: no link needed."),
    ] = None,
    port: PortOption = None,
    console_port: Annotated[str | None, typer.Option("--console-port", help=_CONSOLE_HELP)] = None,
    by: ByOption = "auto",
    erase: EraseOption = False,
    image: ImageOption = None,
    digest: DigestOption = None,
    drive: DriveOption = None,
    baud: BaudOption = 460_800,
    reset: ResetOption = True,
    stub: StubOption = True,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a bare board a node whose readings arrive. Run it again after any failure: it goes on.

    Exit codes: 0 the first reading is in the store; 1 wrong options; 10 port, 11 chip, 12 flash, 13 register,
    14 identity, 15 files, 16 reboot, 17 network, 18 clock, 19 broker, 20 birth, 21 sample, 22 stored.
    """
    place = find_place(cloud=cloud, token_file=token_file, data=data, who=who, config=config)
    order = Order(
        kind=kind,
        id=ident,
        label_en=label,
        label_zh=label_zh,
        site=site or place.config.site,
        district=district or place.config.district,
        gateway=gateway or place.config.gateway,
        sensors=tuple(parse_sensor(text) for text in sensor or ()),
        period_s=period_s,
    )
    order = _at(order, at)
    handling = Handling(
        port=port, console=console_port, by=_by(by), erase=erase, image=image, digest=digest, drive=drive,
        options=FlashOptions(baud=baud, reset=reset, stub=stub),
    )  # fmt: skip
    job = Job(
        order=order,
        handling=handling,
        who=place.who,
        wifi_ssid=wifi if wifi is not None else place.config.wifi_ssid,
        wifi_password=_password(place, ask_password),
        broker=_broker(broker),
        ntp=ntp,
    )
    bundle = OfflineBundle(offline) if offline is not None else None
    screen = terminal(as_json)
    if table is not None:
        rows = read_table(table, order, datum_mm)
        tools = toolbox(place.config)
        convoy = Convoy(
            rows=rows, outcomes=Outcomes(table), job=job, tools=tools, cloud=None if bundle else api_of(place),
            bundle=bundle, console=screen, as_json=as_json,
        )  # fmt: skip
        raise typer.Exit(asyncio.run(run_convoy(convoy)))
    if not kind:
        raise ConfigError("which kind of node?", remedy="--kind water_level, weather, power_meter...")
    order = check_order(order)
    job = changed(job, order=changed(order, sensors=with_datum(order.sensors, datum_mm)))
    api = None if bundle is not None else api_of(place)
    _one(job, toolbox(place.config), api, bundle, screen, as_json)


def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The node whose place the board takes.")],
    port: Annotated[str | None, typer.Argument(metavar="[PORT]", help="The new board's port.")] = None,
    sensor: SensorOption = None,
    datum_mm: DatumOption = None,
    wifi: WifiOption = None,
    ask_password: AskOption = False,
    broker: BrokerOption = None,
    console_port: Annotated[str | None, typer.Option("--console-port", help=_CONSOLE_HELP)] = None,
    by: ByOption = "auto",
    erase: EraseOption = False,
    image: ImageOption = None,
    baud: BaudOption = 460_800,
    reset: ResetOption = True,
    stub: StubOption = True,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new board in a node's place, which keeps its id, calibration and history; the old one is barred."""
    node_id(old)
    place = find_place(cloud=cloud, token_file=token_file, data=data, who=who, config=config)
    screen = terminal(as_json)
    with telling(screen, as_json):
        row, fitted, period_s = asyncio.run(_known(api_of(place), old))
    texts = sensor or fitted
    order = check_order(Order(kind=row["kind"], id=old, gateway=row.get("gateway") or "", period_s=period_s,
                              sensors=tuple(parse_sensor(text) for text in texts)))  # fmt: skip
    job = Job(
        order=changed(order, sensors=with_datum(order.sensors, datum_mm)),
        handling=Handling(
            port=port, console=console_port, by=_by(by), erase=erase, image=image,
            options=FlashOptions(baud=baud, reset=reset, stub=stub),
        ),
        who=place.who,
        wifi_ssid=wifi if wifi is not None else place.config.wifi_ssid,
        wifi_password=_password(place, ask_password),
        broker=_broker(broker),
        replaces=old,
    )  # fmt: skip
    _one(job, toolbox(place.config), api_of(place), None, screen, as_json)


def flash(
    port: PortOption = None,
    image: ImageOption = None,
    digest: DigestOption = None,
    drive: DriveOption = None,
    baud: BaudOption = 460_800,
    reset: ResetOption = True,
    stub: StubOption = True,
    erase: EraseOption = False,
    application: Annotated[
        bool,
        typer.Option("--application/--bare", help="--bare: MicroPython alone, without City Neuron's files."),
    ] = True,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write MicroPython and City Neuron's files onto a board, and verify; `provision` does more."""
    screen = terminal(as_json)
    place = find_place(config=config)
    show = CourseScreen(screen, "flash a board")
    tools = toolbox(place.config)
    course = Course((Stage.PORT, Stage.CHIP, Stage.FLASH), tools.clock, show.changed)
    handling = Handling(port=port, by="flash", erase=erase, image=image, digest=digest, drive=drive,
                        options=FlashOptions(baud=baud, reset=reset, stub=stub))  # fmt: skip

    async def work() -> str:
        job = BoardWork(tools, handling, course)
        board = await job.find()
        await job.flash(board, Layout(board=board.firmware_board) if application else None)
        return board.serial

    with telling(screen, as_json, staged=True), show.showing():
        try:
            serial = asyncio.run(work())
        except FieldError as error:
            raise (error.at(course.failed.stage) if course.failed else error) from None
    show_success(screen, "flashed and verified", [("chip", serial)], ["cityneuron node provision --kind KIND"])
    if as_json:
        print_json({"ok": True, "serial": serial, "steps": course.to_dict()})


def sync(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle that was used without a link.")],
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the cloud of the nodes that were provisioned offline. Run it as often as you like.

    What the cloud refuses keeps nobody else waiting: it is told with its reason, and the exit code is 13.
    """
    place = find_place(cloud=cloud, token_file=token_file, data=data, config=config)
    screen, store = terminal(as_json), OfflineBundle(bundle)

    async def work() -> Synced:
        async with api_of(place) as api:
            return await tell_cloud(store, api)

    with telling(screen, as_json):
        done = asyncio.run(work())
    for row in done.taken:
        screen.print(f"✓ {row.node}  {row.serial}", highlight=False)
    for row, why in done.refused:
        screen.print(Text.assemble(("✗ ", "red"), f"{row.node}  {row.serial}: {why.cause}"))
        for remedy in why.remedies:
            screen.print(Text(f"  → {remedy}"))
    screen.print(f"{len(done.taken)} told to the cloud; {store.left} identities left", highlight=False)
    if as_json:
        refused = [{"node": row.node, "serial": row.serial, **why.to_dict()} for row, why in done.refused]
        synced = [row.node for row in done.taken]
        print_json({"ok": not refused, "synced": synced, "refused": refused, "left": store.left})
    if done.refused:
        raise typer.Exit(exit_code(Stage.REGISTER))


def _one(
    job: Job, tools: Toolbox, api: CloudApi | None, bundle: OfflineBundle | None, screen: Console, as_json: bool
) -> None:
    what = f"replace {job.replaces}" if job.replaces else f"provision {job.order.kind} {job.order.id}".rstrip()
    show = CourseScreen(screen, what)
    course = Course(tuple(Stage), tools.clock, show.changed)

    async def work() -> Success:
        async with AsyncExitStack() as stack:
            cloud = None if api is None else await stack.enter_async_context(api)
            return await Provision(job, tools, course, cloud, bundle).run()

    try:
        with telling(screen, staged=True), show.showing():
            done = asyncio.run(work())
    except typer.Exit as end:
        if as_json:
            print_json({"ok": False, "exit_code": end.exit_code, "steps": course.to_dict()})
        raise
    rows = [("first reading", done.values), ("after", f"{done.seconds:.0f} s"), ("chip", done.serial)]
    then = [f"cityneuron node label {done.node}", f"cityneuron node doctor {done.node}"]
    if bundle is not None:
        then = [f"cityneuron node sync {bundle.path}   when there is a link again"]
    show_success(screen, f"{done.node} works", rows, then)
    if as_json:
        print_json({"ok": True, **done.to_dict(), "steps": course.to_dict()})


async def _known(api: CloudApi, node: str) -> tuple[dict[str, str], list[str], float | None]:
    async with api:
        row = await api.node(node)
        device = await api.device(node) or {}
        return row, *fitted_in(device.get("notes") or [])


def _at(order: Order, text: str) -> Order:
    if not text:
        return order
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--at {text!r} is not LAT,LON", remedy="write it like --at 31.2712,121.5203"
        ) from None
    return changed(order, lat=lat, lon=lon)


def _by(text: str) -> Literal["auto", "flash", "copy"]:
    if text == "flash":
        return "flash"
    if text == "copy":
        return "copy"
    if text != "auto":
        raise ConfigError(f"--by {text!r}", remedy="auto, flash or copy")
    return "auto"


def _broker(url: str | None) -> tuple[str, int, bool] | None:
    if url is None:
        return None
    address = BrokerAddress.parse(url if "://" in url else f"mqtts://{url}")
    return address.host, address.port, address.tls


def _password(place: Place, ask: bool) -> str:
    if ask:
        return str(typer.prompt("Wi-Fi password", hide_input=True))
    return os.environ.get(WIFI_PASSWORD) or read_secret(place.config.wifi_password_file) or ""
