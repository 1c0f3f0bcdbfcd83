"""The laboratory's processes: a gateway on a disk that can fill up, producers whose power can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from city_rig import CITYNEURON, GatewayProcess
from servers import PROJECT, program

from edge.model.node import Node
from edge.protocol.wire import BOOT_STEP
from simulators.faults import Load

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'tests'}"}
ANSWER_WITHIN_S = 60.0
MB = 1 << 20
DISK_MB = 192


class Disk:
    """A small file system of its own, in a mount namespace of its own: no rights are needed to make it full."""

    def __init__(self, place: Path, megabytes: int) -> None:
        place.mkdir(parents=True, exist_ok=True)
        mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && echo ready && exec sleep infinity'
        self._holder = subprocess.Popen(
            [program("unshare"), "-Urm", "sh", "-c", mount, place], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise AssertionError("no file system could be mounted in a namespace (unshare -Urm)")
        self.enter = [
            program("nsenter"),
            f"--target={self._holder.pid}",
            *("--user", "--mount", "--preserve-credentials", f"--wd={PROJECT}", "--"),
        ]
        self.inside = Path(f"/proc/{self._holder.pid}/root{place}")
        """Its root, as seen from outside of the namespace."""
        self._ballast = self.inside / "ballast"

    def crowd(self, left_bytes: int) -> None:
        """Leave only so much room."""
        room = os.statvfs(self._ballast.parent)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - left_bytes)

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def clear(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Let it go with all that is on it."""
        self._holder.kill()
        self._holder.wait()


class ConfinedGateway(GatewayProcess):
    """`cityneuron gateway run` whose data folder is on a Disk."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        store_port: int,
        nodes: Sequence[Node],
        backlog: Mapping[str, float],
    ) -> None:
        broker = SimpleNamespace(url=f"mqtt://127.0.0.1:{broker_port}")
        store = f'url = "http://127.0.0.1:{store_port}"\napi = "v1"\ntimeout_s = 2.0'
        limits = {"keep_free_mb": 0.0, **backlog}  # a full disk is a fault of its own
        store += "\n[backlog]\n" + "\n".join(f"{name} = {value}" for name, value in limits.items())
        super().__init__(folder, broker, store, nodes)  # type: ignore[arg-type]  # only the URL is asked for
        self.disk = Disk(folder / "data", DISK_MB)
        self._watcher: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()  # two may look at once: each gets its own answer
        self._begins_at = 0

    def start(self) -> None:
        self._begins_at = len(self.log()) if (self.folder / "gateway.log").exists() else 0
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.disk.enter, CITYNEURON, "gateway", "run", "--config", self.config],
                stdout=log,
                stderr=log,
            )

    @property
    def ended(self) -> bool:
        """Whether it was started and ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its process id; an error while it is not there."""
        assert self._process is not None
        return self._process.pid

    @property
    def stands(self) -> bool:
        """Whether it got as far as the broker since it was started."""
        return "connected to" in self.log()[self._begins_at :]

    @property
    def at_work(self) -> bool:
        """Whether it got as far as trying the broker since it was started."""
        return "mqtt://" in self.log()[self._begins_at :]

    def look(self) -> dict[str, Any]:
        """Return the account at this moment."""
        with self._asking:
            if self._watcher is None:
                self._watcher = subprocess.Popen(
                    [*self.disk.enter, sys.executable, "-m", "faults.watcher", self.journal],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT,
                )  # fmt: skip
        assert self._watcher.stdin is not None and self._watcher.stdout is not None
        with self._asking:
            self._watcher.stdin.write(b"\n")
            self._watcher.stdin.flush()
            return json.loads(self._watcher.stdout.readline())  # type: ignore[no-any-return]

    def command(self, *words: str) -> dict[str, Any]:
        """Return what a `cityneuron` command prints about this gateway's data."""
        command = [*self.disk.enter, CITYNEURON, *words, "--json", "--data", str(self.journal.parent)]
        done = subprocess.run(command, capture_output=True, check=True, timeout=120)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def quarantine(self, node: str | None = None) -> list[dict[str, Any]]:
        """Return what is quarantined, of all nodes or of one."""
        words = ["--node", node] if node else []
        return self.command("quarantine", "list", "--limit", "10000000", *words)["entries"]  # type: ignore[no-any-return]

    def retry(self, node: str) -> None:
        """`cityneuron quarantine retry`: what was kept of a node is tried again."""
        command = [*self.disk.enter, CITYNEURON, "quarantine", "retry", "--node", node]
        data = ["--data", str(self.journal.parent)]
        subprocess.run([*command, *data], capture_output=True, check=True, timeout=120)

    def close(self) -> None:
        """End it, with its disk."""
        self.kill()
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
        self.disk.close()


class ProducerProcess:
    """Nodes in their own process; what they must remember is in `folder`, all else is in their RAM.

    `nodes` and `guests` are (name, kind). The digits of boot numbers come from `chance`.
    """

    def __init__(
        self,
        folder: Path,
        index: int,
        load: Load,
        port: int,
        chance: random.Random,
        *,
        nodes: Sequence[tuple[str, str]],
        guests: Sequence[tuple[str, str]] = (),
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.index = index
        self.names = [name for name, _ in [*nodes, *guests]]
        self.speaking = [name for name, _ in nodes]
        self.boot = 0
        self.cuts: set[int] = set()
        """Boots that ended by a power cut."""
        self._chance = chance
        self._digits: set[int] = set()
        self._flash: dict[str, bytes] = {}
        """What lay there before this boot."""
        self._order = {
            "folder": str(folder), "name": folder.name, "nodes": nodes, "guests": guests, "port": port,
            "readings_per_s": load.readings_per_s, "small_outbox_rows": load.small_outbox_rows,
        }  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, **more: Any) -> None:
        """Boot; return when it is there."""
        self._flash = {path.name: path.read_bytes() for path in self._flash_files()}
        digits = self._chance.choice([number for number in range(BOOT_STEP) if number not in self._digits])
        self._digits.add(digits)  # a counter may come twice
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "faults.producer", json.dumps({**self._order, "digits": digits, **more}),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=ENVIRONMENT,
            )  # fmt: skip
        self.boot = (await self.order("greet"))["boot"]

    async def cut_power(self) -> None:
        """SIGKILL: whatever was in RAM is gone."""
        if self._process is not None:
            self.cuts.add(self.boot)
            self._process.kill()
            await self._process.wait()
            self._process = None

    def forget_boot(self) -> None:
        """Of this boot nothing reached the flash; call it while the power is off."""
        for path in self._flash_files():
            path.unlink()
        for name, content in self._flash.items():
            (self.folder / name).write_bytes(content)

    def tear_flash(self, strength: float) -> None:
        """What was written last to the flash is only there in part; call it while the power is off."""
        newest = max(self._flash_files(), key=lambda path: path.stat().st_mtime_ns)
        os.truncate(newest, int(newest.stat().st_size * strength))

    def _flash_files(self) -> list[Path]:
        return sorted(self.folder.glob("boot*"))

    async def order(self, do: str, **more: Any) -> dict[str, Any]:
        """Give an order and return the answer."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S + float(more.get("within_s", 0))):
            line = await process.stdout.readline()
        if not line:
            raise AssertionError(f"producer {self.index} ended:\n{(self.folder / 'log').read_text()[-3000:]}")
        return json.loads(line)  # type: ignore[no-any-return]

    async def close(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                async with asyncio.timeout(20):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
            self._process = None
