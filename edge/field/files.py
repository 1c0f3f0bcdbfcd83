"""A node's files onto a board that runs MicroPython: by mpremote, unmodified, in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from edge.field.chips import Progress, run_lines
from edge.field.recognise import of_mpremote

_KEPT_LINES = 40
_WHAT_IT_IS = """
import sys, os
if sys.platform == 'rp2':
    import machine
    machine.mem32[0x4005_B000] = 1 << 30
print('platform', sys.platform, os.uname().machine)
"""
"""Asked first. A Pico's watchdog of 8 s outlives the prompt's soft reset, what fed it does not: it is off then
(RP2040 data sheet, 4.7.6), or the board would restart amid its files. The restart afterwards has it again."""
_PREPARE = """
import os
def sweep(path):
    for name, kind, *_ in os.ilistdir(path):
        file = path + '/' + name
        if kind == 0x4000: sweep(file)
        elif file not in keep: os.remove(file)
for path in folders:
    try: os.mkdir(path)
    except OSError: pass
for path in clean: sweep(path)
for path in drop:
    try: os.remove(path)
    except OSError: pass
try:
    import json
    with open('/settings.json') as file: before = json.load(file)['node']
except (OSError, ValueError, KeyError): before = node
if before != node: sweep('/data')
"""
"""Makes folders; removes what an earlier version left, and what another node did."""
DROPPED = ("data/errors", "data/failed", "data/changed.json", "data/update.json", "data/update.head")
"""What a node kept of errors, failed starts, changed settings and updates: it begins anew. Readings stay."""


class MpRemote:
    """mpremote on one port. Every method raises FieldError."""

    def __init__(self, port: str, *, command: Sequence[str] = ()) -> None:
        self._port = port
        self._command = tuple(command) or (sys.executable, "-m", "mpremote")

    async def serial(self) -> str:
        """Return the chip's own number, as the node tells it in its birth."""
        code = "import machine, binascii; print('serial', binascii.hexlify(machine.unique_id()).decode())"
        for line in await self._run("exec", code):
            if line.startswith("serial "):
                return line.split()[1]
        raise of_mpremote(["it did not say its number"], self._port)

    async def platform(self) -> str:
        """Return what the board calls itself: sys.platform and its machine, as `esp32 ... with ESP32C3`."""
        for line in await self._run("exec", _WHAT_IT_IS):
            if line.startswith("platform "):
                return line.partition(" ")[2].strip()
        raise of_mpremote(["it did not say what it is"], self._port)

    async def copy(self, files: Mapping[str, bytes], progress: Progress, *, node: str) -> None:
        """Write the files of a node, as far as they are not there already; its readings stay."""
        folders = sorted({f"/{parent}" for path in files for parent in _parents(path)})
        keep = {f"/{path}" for path in files if path.startswith("a/")} | {"/data/boot", "/data/boot.2"}
        facts = (keep, folders, ["/a"], [f"/{path}" for path in DROPPED], node)
        code = f"keep, folders, clean, drop, node = {facts!r}\n{_PREPARE}"
        words, names = ["exec", code], list(files)
        done = 0

        def heard(line: str) -> None:
            nonlocal done
            if line.startswith("cp "):
                progress(f"copying {names[done]}", done / len(names))
                done = min(done + 1, len(names) - 1)

        with tempfile.TemporaryDirectory() as folder:
            for number, (path, content) in enumerate(files.items()):
                source = Path(folder) / str(number)
                source.write_bytes(content)
                words += ["+", "cp", str(source), f":{path}"]  # one connection for all: each costs a second
            progress("looking what is there", None)
            await self._run(*words, heard=heard)

    async def reset(self) -> None:
        """Restart the board as its button would."""
        await self._run("reset")

    async def _run(self, *words: str, heard: Callable[[str], None] = lambda _line: None) -> list[str]:
        said: list[str] = []

        def keep(line: str) -> None:
            said.append(line)
            del said[:-_KEPT_LINES]
            heard(line)

        status = await run_lines([*self._command, "connect", self._port, *words], keep)
        if status != 0:
            raise of_mpremote(said, self._port)
        return said


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
