"""A node's files onto a board that runs MicroPython: by mpremote, unmodified, in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge.field.chips import Progress, run_lines
from edge.field.recognise import of_mpremote

_KEPT_LINES = 40
_REMOVE = """
import os
def gone(path):
    try:
        for name, kind, *_ in os.ilistdir(path):
            if kind == 0x4000: gone(path + '/' + name)
            else: os.remove(path + '/' + name)
        os.rmdir(path)
    except OSError: pass
"""


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
        for line in await self._run(
            "exec", "import sys, os; print('platform', sys.platform, os.uname().machine)"
        ):
            if line.startswith("platform "):
                return line.partition(" ")[2].strip()
        raise of_mpremote(["it did not say what it is"], self._port)

    async def copy(self, files: Mapping[str, bytes], progress: Progress, *, clean: Sequence[str] = ()) -> None:
        """Write files at their paths, after removing the folders `clean`."""
        if clean:
            progress("making room", None)
            await self._run("exec", _REMOVE + "".join(f"gone('/{name}')\n" for name in clean))
        with tempfile.TemporaryDirectory() as folder:
            tops = stage_files(files, Path(folder))
            done = 0

            def heard(line: str) -> None:
                nonlocal done
                if line.startswith(("cp ", "Up to date")):
                    done = min(done + 1, len(tops))
                    progress(f"copying {tops[done - 1]}", done / len(tops))

            # one `cp -r` for all: a connection costs a second
            sources = [str(Path(folder) / name) for name in tops]
            await self._run("cp", "-r", *sources, ":", heard=heard)

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


def stage_files(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write files below a folder; return the names directly in it."""
    for path, content in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return sorted(path.name for path in folder.iterdir())
