"""Serial ports: which of them are boards, and who keeps one from being opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import serial
from serial.tools import list_ports

from edge.field.diagnosis import Symptom, diagnose
from edge.field.recognise import of_port

BAUD = 115_200

USB_CHIPS: dict[tuple[int, int | None], str] = {
    (0x303A, None): "Espressif USB",
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, None): "CH340",
    (0x0403, None): "FTDI",
    (0x2E8A, None): "Raspberry Pi Pico",
    (0x067B, None): "PL2303",
}
"""USB vendor and product numbers behind which boards are found; None: any product."""
PICO_VENDOR = 0x2E8A


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port; `usb_serial` is the number of its USB chip or, with a Pico, of the board itself."""

    device: str
    about: str = ""
    vendor: int | None = None
    product: int | None = None
    usb_serial: str = ""

    @property
    def chip(self) -> str:
        """What the USB numbers say it is; empty when they say nothing."""
        for (vendor, product), name in USB_CHIPS.items():
            if self.vendor == vendor and product in (None, self.product):
                return name
        return ""

    @property
    def is_pico(self) -> bool:
        """Whether a Pico answers here."""
        return self.vendor == PICO_VENDOR


def seen_ports() -> list[Port]:
    """Return the serial ports of this computer."""
    return [
        Port(port.device, port.description or "", port.vid, port.pid, port.serial_number or "")
        for port in list_ports.comports()
    ]


def choose_port(named: str | None, seen: Sequence[Port]) -> Port:
    """Return the port that was named, or the only one with a board. Raises FieldError."""
    if named is not None:
        known = next((port for port in seen if port.device == named), None)
        if known is not None or Path(named).exists() or "://" in named or os.name == "nt":
            return known or Port(named)
        raise diagnose(Symptom.PORT_GONE, port=named)
    boards = [port for port in seen if port.chip]
    if not boards:
        others = ", ".join(port.device for port in seen)
        raise diagnose(Symptom.NO_BOARD, seen=f" (other ports: {others})" if others else "")
    if len(boards) > 1:
        names = [port.device for port in boards]
        raise diagnose(Symptom.SEVERAL_BOARDS, ports=", ".join(names), first=names[0])
    return boards[0]


def open_port(device: str, *, timeout_s: float = 0.1) -> serial.Serial:
    """Open a port for this program alone. Raises FieldError."""
    try:
        return serial.serial_for_url(device, baudrate=BAUD, timeout=timeout_s, exclusive=True, write_timeout=5)
    except (serial.SerialException, OSError, ValueError) as error:
        raise port_error(error, device) from None


def check_port(device: str) -> None:
    """See that a port can be opened. Raises FieldError."""
    open_port(device).close()


def port_error(error: Exception | str, device: str) -> Exception:
    """Return what an error of a port means, with who holds it and whose it is."""
    return of_port(error, device, group=_group(device), holder=_holder(device))


def find_again(port: Port, seen: Iterable[Port]) -> Port | None:
    """Return the port where a board came back after its restart: by its USB number, else by its name."""
    rows = list(seen)
    if port.usb_serial:
        for row in rows:
            if row.usb_serial == port.usb_serial:
                return row
    if Path(port.device).exists() or "://" in port.device:
        return next((row for row in rows if row.device == port.device), port)
    return None


def _group(device: str) -> str:
    """Return the group that may open a device, `dialout` where it cannot be told."""
    try:
        import grp

        return grp.getgrgid(Path(device).stat().st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "dialout"


def _holder(device: str) -> str:
    """Return which other program has a device open, as far as /proc tells."""
    try:
        wanted = Path(device).stat().st_rdev
    except OSError:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            opened = [handle.stat() for handle in (process / "fd").iterdir()]
            if any(stat.S_ISCHR(each.st_mode) and each.st_rdev == wanted for each in opened):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return ""
