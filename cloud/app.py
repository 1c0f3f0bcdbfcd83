"""The cloud as a service: the store, the registry, the live hub and the HTTP API, run together."""

import asyncio
import errno
import logging
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from cloud.alerts.build import build_alerts
from cloud.api import build_api
from cloud.api.ledger import network
from cloud.board import Board
from cloud.config import CloudConfig
from cloud.devices import build_devices
from cloud.errors import CloudError, StoreUnavailable
from cloud.live import Live
from cloud.registry import Registry
from cloud.rollup.build import build_rollups
from cloud.rules import CityRules
from cloud.series.writer import SeriesWriter
from cloud.services import Services, epoch_ms
from cloud.stores import STORES
from cloud.stores.protocol import Latest
from edge.model.kinds import KINDS
from edge.rules import load_rules

WATCH_STATES_S = 5.0
SHUTDOWN_S = 5.0
_log = logging.getLogger(__name__)


class PortInUse(CloudError):
    """Another program listens where the cloud should."""


class Cloud:
    """The cloud's parts; `run` opens them, serves until cancelled, and closes them."""

    def __init__(self, config: CloudConfig, *, now_ms: Callable[[], int] = epoch_ms) -> None:
        self.config = config
        registry, live, board = Registry(config.registry_url), Live(), Board()
        desk, self.sender = build_alerts(
            config.alerts, config.timezone, registry, now_ms=now_ms, show=live.alerts
        )
        polled = config.store.kind != "embedded"
        city_rules = CityRules(
            load_rules(config.alerts.rules_files),
            desk,
            registry,
            board,
            now_ms=now_ms,
            delay_s=config.store.poll_s if polled else 0.0,
        )
        store = STORES[config.store.kind](config)
        self.rollups = build_rollups(config, store, registry, now_ms)
        self.services = Services(
            name_en=config.name_en,
            name_zh=config.name_zh,
            token=config.token,
            timezone=config.timezone,
            registry=registry,
            store=store,
            reader=self.rollups.reader,
            roller=self.rollups.roller,
            board=board,
            live=live,
            alerts=desk,
            city_rules=city_rules,
            now_ms=now_ms,
            **build_devices(config, registry, board, now_ms),
        )
        self.series = SeriesWriter(
            store, registry, board, desk, self.services.trials, config=config.series, now_ms=now_ms
        )
        self.port = config.port

    @property
    def url(self) -> str:
        """Where the wall is; with port 0, known once `run` has started."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self.port}"

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Serve until cancelled; set `started` once requests are answered."""
        services = self.services
        _make_folder(self.config)
        try:
            await services.registry.open()
            await services.provisioner.open()
            await services.alerts.open()
            await self.sender.open()
            await services.store.open()
            await self.rollups.open()
            await self._load_board()
            await services.city_rules.open()
            await self._serve(started)
        finally:
            await services.city_rules.close()
            await self.rollups.close()
            await services.store.close()
            await services.registry.close()

    async def _serve(self, started: asyncio.Event | None) -> None:
        runner = web.AppRunner(build_api(self.services), shutdown_timeout=SHUTDOWN_S, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.config.host, self.config.port)
            await _listen(site, self.config)
            self.port = runner.addresses[0][1]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.services.live.run(), name="live")
                tasks.create_task(self._watch_states(), name="states")
                tasks.create_task(self.services.alerts.run(), name="alerts")
                tasks.create_task(self.sender.run(), name="sender")
                tasks.create_task(self.services.city_rules.run(), name="city rules")
                tasks.create_task(self.services.rollouts.run(), name="roll-outs")
                if self.config.series.enabled:
                    tasks.create_task(self.series.run(), name="series")
                if self.services.roller is not None:
                    tasks.create_task(self.services.roller.run(), name="roll-ups")
                if self.services.store.kind != "embedded":
                    tasks.create_task(self._poll(), name="poll")
                if started is not None:
                    started.set()
        finally:
            self.services.live.close()
            await runner.cleanup()

    async def _load_board(self) -> None:
        """Know newest readings and trials from the start; a store that is away is asked again by `_poll`."""
        await self.services.look_at_trials()
        try:
            self.services.board.offer(await self._newest())
        except StoreUnavailable as error:
            _log.warning("started without the newest readings: %s", error)
        self.services.live.network(await network(self.services))

    async def _newest(self) -> list[Latest]:
        within_h = self.config.store.newest_within_h
        since_ms = self.services.now_ms() - int(within_h * 3_600_000) if within_h else None
        return await self.services.store.latest(KINDS, since_ms=since_ms)

    async def _poll(self) -> None:
        """Ask a store that others write to what is new."""
        while True:
            await asyncio.sleep(self.config.store.poll_s)
            try:
                found = await self._newest()
            except StoreUnavailable as error:
                _log.warning("no news: %s", error)
                self.services.city_rules.deaf()
                continue
            news = self.services.board.offer(found)
            self.services.live.readings(news)
            await self.services.city_rules.take(news)

    async def _watch_states(self) -> None:
        """Tell the pages which nodes changed their state, by a reading or by the passing of time."""
        known: dict[str, object] | None = None
        while True:
            try:
                told = [self.services.told(node) for node in await self.services.registry.nodes()]
            except CloudError as error:
                _log.warning("the nodes' states are not watched: %s", error)
                await asyncio.sleep(WATCH_STATES_S)
                continue
            if known is not None:
                changed = [node for node in told if known.get(str(node["id"])) != node["state"]]
                if changed:
                    self.services.live.nodes(changed)
            known = {str(node["id"]): node["state"] for node in told}
            await asyncio.sleep(WATCH_STATES_S)


async def run_cloud(config: CloudConfig, *, started: asyncio.Event | None = None) -> None:
    """Run the cloud until cancelled; `started` is set once requests are answered."""
    await Cloud(config).run(started)


async def _listen(site: web.TCPSite, config: CloudConfig) -> None:
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {config.port} on {config.host} is in use",
                remedy="end the other program or choose another port",
            ) from error
        raise CloudError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}",
            remedy="choose an address of this machine",
        ) from error


def _make_folder(config: CloudConfig) -> None:
    try:
        with suppress(FileExistsError):
            (config.data_dir / "cloud").mkdir(parents=True)
    except OSError as error:
        raise CloudError(
            f"{config.data_dir}: {error.strerror}", remedy="choose another data folder or correct its owner"
        ) from error
