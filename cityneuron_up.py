"""`cityneuron up`: broker, gateway, cloud and a simulated district in one process, from one folder of data."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import aiohttp
import typer
from rich.console import Console

from cloud.app import Cloud
from cloud.ca import Authority
from cloud.config import CloudConfig
from cloud.config import StoreConfig as CloudStoreConfig
from cloud.provision.config import ProvisionConfig
from edge.boot import next_boot, start_of
from edge.broker import BrokerAddress
from edge.folder import DataFolder, write_secret
from edge.model.errors import CityError, ConfigError
from edge.shell import one_error
from gateway.account import COUNTS, Counts
from gateway.app import JOURNAL, Gateway
from gateway.broker import built_in_broker
from gateway.config import GatewayConfig, GatewayIdentity
from gateway.sinks.line_http import StoreConfig
from gateway.sources.mqtt import MqttConfig, MqttSource
from gateway.statement import read_accounts
from gateway.uplink import CloudConfig as UplinkConfig
from simulators.city import City, load_city
from simulators.fleet import Fleet, FleetConfig
from simulators.virtual.timekeeper import timekeeper

GATEWAY = "gw-yangpu"
DRAIN_S = 15.0
CONNECT_S = 10.0
STATUS_S = 1.0
HISTORY_H = 24
HISTORY_STEP_S = 1800

log = logging.getLogger("cityneuron")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says."""

    data: DataFolder
    port: int
    seed: int
    broker: str | None
    store: str | None
    for_s: float | None
    as_json: bool


def up(
    for_s: Annotated[float | None, typer.Option("--for", help="Stop by itself after so many seconds.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same district.")] = 1,
    broker: Annotated[
        str | None, typer.Option("--broker", help="mqtt://host:port instead of the built-in.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="http://host:8086/?db=city (InfluxDB) instead of the built-in."),
    ] = None,
    data: Annotated[
        Path, typer.Option("--data", envvar="CITYNEURON_DATA", help="Where everything is kept.")
    ] = Path("city-data"),
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the wall is; 0: any free.")
    ] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print the account as JSON at the end.")] = False,
) -> None:
    """Run the whole city here: broker, gateway, cloud and wall, and a simulated district. Ctrl-C ends it."""
    options = Options(
        data=DataFolder(data), port=port, seed=seed, broker=broker, store=store, for_s=for_s, as_json=as_json
    )
    console = Console(stderr=as_json, highlight=False)
    with options.data.in_use():
        _log_to(options.data.log)
        with one_error():
            report = asyncio.run(_run(options, console))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _farewell(console, report, data)


async def _run(options: Options, console: Console) -> dict[str, Any]:
    """Build the city from the ground up, live, and take it down in the opposite order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    city = load_city(options.seed, gateway=GATEWAY)
    async with asyncio.TaskGroup() as tasks, _broker(options.broker) as broker_url, timekeeper() as clock:
        cloud = Cloud(await _cloud_config(options, city, broker_url, clock))
        ready = asyncio.Event()
        services = [tasks.create_task(cloud.run(ready), name="cloud")]
        await ready.wait()
        await _register(cloud.url, cloud.config.token, city)
        gateway = Gateway(_gateway_config(options, broker_url, cloud.url))
        services.append(tasks.create_task(gateway.run(), name="gateway"))
        await _connected(gateway.source)
        boot = next_boot(options.data.boot)
        with options.data.announced(broker_url, cloud.url):
            began = time.monotonic()
            _banner(console, options, cloud.url, broker_url)
            async with Fleet(
                city, BrokerAddress.parse(broker_url), boot=boot, config=FleetConfig(period_scale=0.1)
            ) as fleet:
                if start_of(boot) == 1:
                    await fleet.remember(HISTORY_H * 3600, HISTORY_STEP_S)
                    await fleet.drain(DRAIN_S)
                await fleet.connected(CONNECT_S)
                fleet.start_producing()
                await _live(options, console, gateway, fleet, stop, began)
                untold = await _settle(gateway, fleet, boot)
        log.info("closing")
        for service in services:
            service.cancel()
        await asyncio.wait(services)
    return _report(options, untold, list(gateway.forwarder.latencies_s))


async def _connected(source: MqttSource) -> None:
    """Wait until the gateway hears its broker; a broker that is not there is said at once."""
    first = [asyncio.create_task(source.subscribed.wait()), asyncio.create_task(source.failed.wait())]
    await asyncio.wait(first, return_when="FIRST_COMPLETED")
    for task in first:
        task.cancel()
    if not source.subscribed.is_set():
        raise CityError(source.trouble, remedy="check --broker, and that the broker runs")


async def _live(
    options: Options, console: Console, gateway: Gateway, fleet: Fleet, stop: asyncio.Event, began: float
) -> None:
    """Show how it stands until told to stop, the time is over or something fails."""
    failing = asyncio.create_task(fleet.wait(), name="fleet")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    shown = console.status("starting", spinner="dots") if console.is_terminal else None
    try:
        with shown or contextlib.nullcontext():
            while not stop.is_set() and (options.for_s is None or time.monotonic() - began < options.for_s):
                left_s = STATUS_S if options.for_s is None else options.for_s - (time.monotonic() - began)
                done, _ = await asyncio.wait(
                    {failing, stopping}, timeout=max(0.0, min(STATUS_S, left_s)), return_when="FIRST_COMPLETED"
                )
                if failing in done:
                    failing.result()
                if shown is not None:
                    shown.update(_status_line(gateway))
    finally:
        failing.cancel()
        stopping.cancel()


async def _settle(gateway: Gateway, fleet: Fleet, boot: int) -> int:
    """Stop making readings and deliver what is under way; return how many the gateway never heard of."""
    log.info("settling the account")
    fleet.stop_producing()
    gateway.stop_sampling()
    await fleet.drain(DRAIN_S)
    log.info("nodes drained")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await gateway.journal.drained.wait()
    made = fleet.totals().items()
    return sum(max(0, counts.produced - gateway.ledger.top(node, boot)) for node, counts in made)


def _report(options: Options, untold: int, latencies_s: list[float]) -> dict[str, Any]:
    """Return the account, read from the disk as `cityneuron ledger` reads it; what is untold waits in nodes."""
    accounts = read_accounts(options.data.gateway / JOURNAL)
    total = sum(accounts.values(), Counts(produced=untold, queued=untold))
    return {"nodes": len(accounts), **total.to_dict(), **_latency(latencies_s)}


def _latency(latencies_s: Sequence[float]) -> dict[str, float | None]:
    """Return median and 99th percentile from sensed to stored, of live readings."""
    if len(latencies_s) < 2:
        return {"latency_p50_s": None, "latency_p99_s": None}
    cuts = statistics.quantiles(latencies_s, n=100, method="inclusive")
    return {"latency_p50_s": round(cuts[49], 4), "latency_p99_s": round(cuts[98], 4)}


@asynccontextmanager
async def _broker(url: str | None) -> AsyncIterator[str]:
    """Yield the URL of the broker: the given one, or a small one in this process on a free port."""
    if url is not None:
        BrokerAddress.parse(url)
        yield url
        return
    async with built_in_broker() as own:
        yield own


async def _cloud_config(options: Options, city: City, broker_url: str, clock: str) -> CloudConfig:
    """Return the cloud's configuration; its own authority tells new nodes this city's broker and clock."""
    broker, store = BrokerAddress.parse(broker_url), CloudStoreConfig()
    if options.store is not None:
        store = CloudStoreConfig.parse(_with_database(options.store))
        await _make_database(store)
    config = CloudConfig(
        port=options.port,
        data_dir=options.data.path,
        store=store,
        token=options.data.token(),
        timezone=ZoneInfo("Asia/Shanghai"),
        name_en=city.name["en"],
        name_zh=city.name["zh"],
        provision=ProvisionConfig(
            broker_host=broker.host, broker_port=broker.port, broker_tls=broker.tls, ntp_hosts=(clock,)
        ),
    )
    if not (config.authority_folder / "root.key").exists():
        Authority.create(config.authority_folder, time.time_ns() // 1_000_000)
    return config


def _gateway_config(options: Options, broker_url: str, cloud_url: str) -> GatewayConfig:
    token_file = options.data.token_file
    store = StoreConfig(url=cloud_url, api="v2", token_file=token_file)
    if options.store is not None:
        found = CloudStoreConfig.parse(_with_database(options.store))
        secret = write_secret(options.data.path / "store-password", found.secret) if found.secret else None
        store = StoreConfig(
            url=found.url, api="v1", database=found.database, username=found.username, password_file=secret
        )
    return GatewayConfig(
        gateway=GatewayIdentity(id=GATEWAY, data_dir=options.data.gateway, site="yangpu", district="yangpu"),
        mqtt=MqttConfig(url=broker_url),
        store=store,
        cloud=UplinkConfig(url=cloud_url, token_file=token_file, roster_period_s=2.0),
    )


def _with_database(url: str) -> str:
    """Return a store's URL with `?db=city` where no database is named."""
    parts = urlsplit(url)
    return url if parse_qs(parts.query).get("db") else urlunsplit(parts._replace(query="db=city"))


async def _make_database(store: CloudStoreConfig) -> None:
    """Create the database where it is missing; an existing one stays as it is (InfluxDB 1.x)."""
    query = {"q": f'CREATE DATABASE "{store.database}"'}
    headers = {}
    if store.username:
        headers["Authorization"] = aiohttp.encode_basic_auth(store.username, store.secret)
    try:
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.post(f"{store.url}/query", data=query) as answer,
        ):
            if answer.status >= 400:
                raise ConfigError(
                    f"the store {store.url} answers {answer.status}: {(await answer.text())[:200]}"
                )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ConfigError(
            f"the store {store.url} does not answer: {error}", remedy="check --store, and that InfluxDB runs"
        ) from None


async def _register(url: str, token: str, city: City) -> None:
    """Tell the registry the district's map and nodes, the gateway among them."""
    headers = {"Authorization": f"Token {token}"}
    nodes = [node.to_dict() for node in (*city.nodes, city.centre)]
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
        await session.put(f"{url}/api/v1/map", json=city.map())
        await session.post(f"{url}/api/v1/nodes", json={"nodes": nodes})


def _log_to(path: Path) -> None:
    """Keep the log in the data folder, away from the terminal."""
    handler = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _banner(console: Console, options: Options, wall: str, broker: str) -> None:
    rows = [
        ("wall 大屏", f"[bold cyan]{wall}[/]"),
        ("broker", broker + ("" if options.broker else "  (built-in)")),
        ("store", options.store or "built-in"),
        ("data", str(options.data.path)),
        ("account", f"cityneuron ledger --data {options.data.path}"),
    ]
    console.print("\n[bold]城市神经元 City Neuron[/]")
    for name, value in rows:
        width = 10 - sum(ord(c) > 0x2E80 for c in name)
        console.print(f"  [dim]{name:<{width}}[/] {value}", soft_wrap=True)
    console.print("  [dim]Ctrl-C ends it; all readings are kept.[/]\n")


def _status_line(gateway: Gateway) -> str:
    total = gateway.total()
    mark = "[green]✓[/]" if total.balanced else "[red]✗[/]"
    trouble = gateway.source.trouble or gateway.forwarder.trouble
    said = f"  [yellow]{trouble[:60]}[/]" if trouble else ""
    return f"{len(gateway.roster)} nodes  {_equation(total)} {mark}{said}"


def _equation(counts: Counts) -> str:
    rest = " + ".join(f"{value:,} {name}" for name, value in list(counts.to_dict().items())[1:])
    return f"[bold]{counts.produced:,}[/] produced = {rest}"


def _farewell(console: Console, report: dict[str, Any], data: Path) -> None:
    counts = Counts(**{name: report[name] for name in COUNTS})
    mark = "[green]✓[/]" if counts.balanced else "[red]✗[/]"
    console.print(f"{report['nodes']} nodes  {_equation(counts)} {mark}", soft_wrap=True)
    if report["latency_p50_s"] is not None:
        console.print(
            f"[dim]sensed to stored: half within {report['latency_p50_s']:.2f} s,"
            f" 99 % within {report['latency_p99_s']:.2f} s. All is kept in {data}.[/]",
            soft_wrap=True,
        )
