"""Makes MicroPython's unix port a board: a LittleFS image as /, its boot.py and main.py, then a REPL.

Arguments: image, fuse file, descriptors of requests and answers, chip, serial number, reset cause, and how it
begins (cold; friendly or raw: after a soft reset from that REPL). simulators/virtual/ starts it, again after
every reset.
"""

import builtins
import gc
import os
import sys
from collections import namedtuple

import bridge
import micropython
import vfs
from flash import Flash
from repl import Repl

_PORTS = {
    "esp32": ("esp32", "Generic ESP32 module with ESP32 (virtual)"),
    "rp2": ("rp2", "Raspberry Pi Pico W with RP2040 (virtual)"),
}
Uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))


class Module:
    """A module with some of its attributes replaced: these cannot be had from a file."""

    def __init__(self, original, **replaced):
        for name in dir(original):
            if name[0] != "_":
                setattr(self, name, getattr(original, name))
        for name in replaced:
            setattr(self, name, replaced[name])


def kbd_intr(character):
    """As micropython.kbd_intr: with -1, byte 3 on the console is data."""
    bridge.mode(bridge.BINARY if character < 0 else bridge.COMMAND)


def opener(open_file):
    """Return `open`, which sees Ctrl-C before it gives a file to a program that does nothing but write."""

    def open_after_look(*arguments, **options):
        bridge.wait(0)
        return open_file(*arguments, **options)

    return open_after_look


def become(chip):
    """Put the modules of a board in the place of the unix port's, while the host's files can still be read."""
    platform, machine_name = _PORTS[chip]
    sys.modules["sys"] = Module(sys, platform=platform)
    sys.modules["micropython"] = Module(micropython, kbd_intr=kbd_intr)
    uname = Uname(platform, platform, "1.25.0", sys.version, machine_name)
    sys.modules["os"] = Module(os, uname=lambda: uname)
    for name in ("select", "time", "machine", "network", "onewire", platform):
        __import__(name)
    return machine_name


def run_file(repl, name):
    """Run a file of the flash as the board does; return whether it ended well."""
    try:
        with open(name) as file:
            code = compile(file.read(), name, "exec")
    except OSError:
        return True
    except SyntaxError as error:
        sys.print_exception(error)
        return False
    error = repl.run(code, bridge.PROGRAM, bridge.QUIET)
    if isinstance(error, SystemExit):
        bridge.end(bridge.SOFT_RESET)
    if error is not None:
        sys.print_exception(error)
    return error is None


def main():
    image, fuse, requests, answers, chip, serial, cause, begin = sys.argv[1:]
    bridge.connect(int(requests), int(answers))
    machine_name = become(chip)
    sys.modules["machine"].start(serial, int(cause))
    device = Flash(image, fuse)
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(device), "/")
    os.chdir("/")
    builtins.open = opener(open)
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in ("bridge", "flash", "repl"):  # out of the way of the board's own files
        del sys.modules[name]
    version = sys.version.split("; ")[1].replace("linux", machine_name)
    repl = Repl({"__name__": "__main__"}, version + '\r\nType "help()" for more information.\r\n')
    gc.collect()
    if begin != "cold":
        sys.stdout.write("MPY: soft reboot\r\n")
    try:
        if run_file(repl, "boot.py") and begin != "raw":
            run_file(repl, "main.py")
    except KeyboardInterrupt:
        pass  # it came between the two
    raw = repl.serve(begin == "raw")
    bridge.end(bridge.SOFT_RESET_RAW if raw else bridge.SOFT_RESET)


main()
