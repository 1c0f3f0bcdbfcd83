"""From a bare board to its first reading in the store: every stage in order, and again after any failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.field.board import Board, BoardWork, Handling
from edge.field.cloud import Provisioned
from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.identity import Identity, PrivateKey, join, request
from edge.field.image import Layout
from edge.field.offline import OfflineBundle
from edge.field.order import Access, Order, settings
from edge.field.ports import find_again
from edge.field.recognise import of_fall
from edge.field.stages import Course, Stage
from edge.field.status import NodeStatus
from edge.field.toolbox import ConsoleTool, Toolbox
from edge.field.watch import PATIENCE_S, WATCHED, Watch, detail_of, values_of

ASK_S = 2.0
POLL_S = 0.5


class CloudTool(Protocol):
    """What provisioning asks of the cloud."""

    url: str

    async def provision(self, registration: Mapping[str, object]) -> Provisioned:
        """Register a device and have its certificate made."""

    async def replace(self, node: str, body: Mapping[str, object]) -> Provisioned:
        """Let another device take a node's place."""

    async def device(self, node: str) -> dict[str, Any] | None:
        """Return the device behind a node."""

    async def latest(self, node: str) -> dict[str, Any] | None:
        """Return a node's newest stored reading."""

    async def gateways(self) -> list[dict[str, Any]]:
        """Return the gateways; asked first of all, to see that the cloud is there."""

    async def note(self, node: str, who: str, text: str) -> None:
        """Keep a note about a node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One board's job. `replaces`: the node whose place it takes. `broker`, `ntp`: not as the cloud says."""

    order: Order
    handling: Handling
    who: str
    wifi_ssid: str = ""
    wifi_password: str = ""
    broker: tuple[str, int, bool] | None = None
    ntp: str = ""
    replaces: str = ""
    patience_s: Mapping[Stage, float] = field(default_factory=lambda: PATIENCE_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Success:
    """What came of it."""

    node: str
    serial: str
    kind: str
    seconds: float
    values: str
    stored: bool

    def to_dict(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "node": self.node, "serial": self.serial, "kind": self.kind, "seconds": round(self.seconds, 1),
            "values": self.values, "stored": self.stored,
        }  # fmt: skip


class Provision:
    """One board's way. `cloud` is None where there is no link: then `bundle` gives the identity."""

    def __init__(
        self,
        job: Job,
        tools: Toolbox,
        course: Course,
        cloud: CloudTool | None,
        bundle: OfflineBundle | None = None,
    ) -> None:
        self._job = job
        self._tools = tools
        self._course = course
        self._cloud = cloud
        self._bundle = bundle
        self._work = BoardWork(tools, job.handling, course)
        self._begun_ms = tools.now_ms()

    async def run(self) -> Success:
        """Do all stages; raise FieldError of the one that failed."""
        try:
            return await self._run()
        except FieldError as error:
            failed = self._course.failed
            raise (error if failed is None else error.at(failed.stage)) from None

    async def _run(self) -> Success:
        if self._cloud is not None:
            await self._cloud.gateways()  # a cloud that is away is told now, not after a minute of flashing
        board = await self._work.find()
        await self._work.flash(board)
        told, key = await self._register(board)
        identity = self._identify(told, key)
        access = self._access(told)
        await self._work.fill(board, self._layout(board, identity, access))
        status = await self._watch(board, identity.node, access)
        self._tools.keys.forget(board.serial)
        await self._keep_note(identity.node)
        return Success(
            node=identity.node,
            serial=board.serial,
            kind=self._job.order.kind,
            seconds=self._course.seconds,
            values=values_of(status),
            stored=self._cloud is not None,
        )

    async def _register(self, board: Board) -> tuple[Provisioned, PrivateKey]:
        """Have the board registered; return what the cloud, or the bundle, answers, and the node's key."""
        order = self._job.order
        registration = {"serial": board.serial, **order.registration(), "who": self._job.who}
        with self._course.at(Stage.REGISTER) as step:
            if self._bundle is not None:
                node = self._bundle.take(board.serial, registration, fitted(order))
                step.detail = f"{node}, from {self._bundle.path.name}"
                return self._bundle.provisioned(node, registration), self._bundle.key(node)
            assert self._cloud is not None
            key = self._tools.keys.key(board.serial)
            asked = registration | {"csr": request(key, order.id or board.serial)}
            if not self._job.replaces:
                told = await self._cloud.provision(asked)
                step.detail = str(told.node["id"])
                return told, key
            before = await self._cloud.device(self._job.replaces) or {}
            body = {name: asked[name] for name in ("serial", "csr", "who")}
            step.detail = f"{self._job.replaces}, instead of {before.get('serial') or 'no device'}"
            return await self._cloud.replace(self._job.replaces, body), key

    def _identify(self, told: Provisioned, key: PrivateKey) -> Identity:
        with self._course.at(Stage.IDENTITY) as step:
            identity = join(str(told.node["id"]), key, told.certificate, told.ca)
            step.detail = f"{identity.node}, P-256"
            return identity

    def _access(self, told: Provisioned) -> Access:
        host, port, tls = self._job.broker or (told.broker_host, told.broker_port, told.broker_tls)
        return Access(
            broker_host=host,
            broker_port=port,
            broker_tls=tls,
            ntp_hosts=(self._job.ntp,) if self._job.ntp else (host, *told.ntp_hosts),  # the gateway answers too
            wifi_ssid=self._job.wifi_ssid,
            wifi_password=self._job.wifi_password,
        )

    def _layout(self, board: Board, identity: Identity, access: Access) -> Layout:
        files = identity.files()
        files["data/time"] = str(
            self._tools.now_ms()
        ).encode()  # where its clock begins: a certificate is older
        if self._tools.update_keys:
            files["a/keys.json"] = self._tools.update_keys
        return Layout(
            board=board.firmware_board, settings=settings(identity.node, self._job.order, access), files=files
        )

    async def _watch(self, board: Board, node: str, access: Access) -> NodeStatus:
        with self._course.at(Stage.REBOOT) as step:
            console, status = await self._reopen(board, node)
            step.detail = (
                f"boot {status.boot}, firmware {status.version}" if status.version else f"boot {status.boot}"
            )
        try:
            facts = {
                "node": node,
                "port": board.port.device,
                "ssid": access.wifi_ssid,
                "broker": access.broker_host,
                "broker_port": access.broker_port,
                "hosts": ", ".join(access.ntp_hosts) or "no host is named",
            }
            watch = Watch(self._tools.clock(), facts=facts, patience_s=self._job.patience_s)
            watch.take(status, self._tools.clock())
            for stage in WATCHED:
                with self._course.at(stage) as step:
                    status = await self._until(watch, stage, console)
                    step.detail = detail_of(stage, status)
                    if stage is Stage.STORED and self._cloud is not None:
                        step.detail = await self._until_stored(node, status)
            return status
        finally:
            console.close()

    async def _reopen(self, board: Board, node: str) -> tuple[ConsoleTool, NodeStatus]:
        """Return the console of the restarted node and its first words. Raises FieldError."""
        device = self._job.handling.console
        until_s = self._tools.clock() + self._job.patience_s[Stage.REBOOT]
        heard: list[str] = []
        while self._tools.clock() < until_s:
            again = None if device else find_again(board.port, self._tools.ports())
            console = await self._console(device or (again.device if again else None))
            if console is not None:
                status = await asyncio.to_thread(console.status, ASK_S)
                if status is not None:
                    if status.node and status.node != node:
                        console.close()
                        raise diagnose(Symptom.OTHER_NODE, found=status.node, node=node)
                    return console, status
                heard = [*heard, *console.heard][-20:]
                console.close()
            self._course.say("waiting for its first word")
            await self._tools.sleep(POLL_S)
        fallen = of_fall(heard)
        if fallen is not None:
            raise fallen
        raise diagnose(Symptom.NODE_MUTE, port=device or board.port.device)

    async def _console(self, device: str | None) -> ConsoleTool | None:
        """Open the node's console; None while its port is not there: with USB in the chip it comes anew."""
        try:
            return None if device is None else await asyncio.to_thread(self._tools.console, device)
        except FieldError as error:
            if error.symptom is not Symptom.PORT_GONE:
                raise
            return None

    async def _until(self, watch: Watch, stage: Stage, console: ConsoleTool) -> NodeStatus:
        """Return when the node has passed a stage; raise FieldError when it will not."""
        while watch.stage is not None and WATCHED.index(watch.stage) <= WATCHED.index(stage):
            trouble = watch.trouble(self._tools.clock())
            if trouble is not None:
                raise await self._of_silence(trouble, watch.status)
            await self._tools.sleep(POLL_S)
            status = await asyncio.to_thread(console.status, ASK_S)
            if status is not None:
                watch.take(status, self._tools.clock())
                self._course.say(watch.doing(stage))
            else:
                self._course.tick()
        assert watch.status is not None
        return watch.status

    async def _of_silence(self, error: FieldError, status: NodeStatus | None) -> FieldError:
        """Return the error, or what the cloud knows better: brokers acknowledge also what they deny.

        A gateway that is well and did not hear the birth of this start was kept from it by the access list.
        """
        if error.symptom is not Symptom.GATEWAY_SILENT or self._cloud is None or status is None:
            return error
        try:
            device = await self._cloud.device(status.node) or {}
            well = {row["gateway"] for row in await self._cloud.gateways() if row.get("state") == "ok"}
        except FieldError:
            return error  # the cloud went away: it knows no better
        serves = device.get("gateway")
        if device.get("boot") == status.boot or not (serves in well if serves else well):
            return error
        return diagnose(Symptom.ACCESS_LIST, stage=Stage.STORED, node=status.node)

    async def _until_stored(self, node: str, status: NodeStatus) -> str:
        """Return the values of the first reading that the cloud's store shows; raise FieldError."""
        assert self._cloud is not None
        until_s = self._tools.clock() + self._job.patience_s[Stage.STORED]
        while True:
            row = await self._cloud.latest(node)
            if row is not None and row["time_ms"] >= self._begun_ms:
                for name, flag in row.get("qc", {}).items():
                    if flag == 4:
                        value = row.get("rejected", {}).get(name, "?")
                        raise diagnose(Symptom.IMPLAUSIBLE, quantity=name, value=value, node=node)
                return f"seen at {self._cloud.url}"
            if self._tools.clock() > until_s:
                if not values_of(status):  # an empty reading is acknowledged, and leaves nothing to store
                    names = ", ".join(sensor.name for sensor in status.sensors) or "none is fitted"
                    raise diagnose(Symptom.NO_VALUE, stage=Stage.STORED, sensor=names)
                raise diagnose(Symptom.NOT_STORED, node=node)
            self._course.say("acknowledged; the store has it in a moment")
            await self._tools.sleep(POLL_S)

    async def _keep_note(self, node: str) -> None:
        """Leave word at the cloud how the node is fitted: whoever replaces it needs no notebook."""
        if self._cloud is not None:
            await self._cloud.note(node, self._job.who, fitted(self._job.order))


FITTED, EVERY = "fitted: ", "every"


def fitted(order: Order) -> str:
    """Return how a node is fitted, as a note that `fitted_in` reads."""
    words = [
        ":".join(
            [
                str(row["driver"]),
                str(row["bus"]),
                *(f"{k}={v}" for k, v in row.items() if k not in ("driver", "bus")),
            ]
        )
        for row in order.sensors
    ]
    if order.period_s is not None:
        words += [EVERY, f"{order.period_s:g}", "s"]
    return FITTED + " ".join(words)


def fitted_in(notes: list[dict[str, Any]]) -> tuple[list[str], float | None]:
    """Return the sensors of the newest note that names them, and the period, None for the kind's own."""
    for note in sorted(notes, key=lambda row: row.get("time_ms", 0), reverse=True):
        text = str(note.get("text") or "")
        if text.startswith(FITTED):
            sensors, _, period = text.removeprefix(FITTED).partition(f" {EVERY} ")
            try:
                return sensors.split(), float(period.removesuffix("s")) if period else None
            except ValueError:
                return sensors.split(), None
    return [], None
