"""Modbus devices that others wrote: pymodbus's server and libmodbus, over TCP or a serial line of socat."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import servers
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

Registers = Mapping[int, int]
_MAX_TCP_FRAME = 260


def sim_device(unit: int, *, holding: Registers | None = None, inputs: Registers | None = None) -> SimDevice:
    """Return a device of pymodbus; other registers than these are refused with exception 2."""
    nothing = [SimData(0, values=False, datatype=DataType.BITS)]
    return SimDevice(unit, simdata=(nothing, nothing, _block(holding), _block(inputs)))


def _block(registers: Registers | None) -> list[SimData]:
    found = sorted((registers or {0xFFFF: 0}).items())
    return [SimData(at, values=value, datatype=DataType.REGISTERS) for at, value in found]


@contextlib.asynccontextmanager
async def pymodbus_tcp(*devices: SimDevice) -> AsyncIterator[int]:
    """Serve devices over Modbus TCP while the block lasts; yield the port."""
    port = servers.free_port()
    server = ModbusTcpServer(list(devices), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()


@contextlib.asynccontextmanager
async def pymodbus_serial(port: Path, *devices: SimDevice) -> AsyncIterator[None]:
    """Serve devices at the end of a serial line, 9600 8N1; units that are none of them are silent."""
    present = {device.id for device in devices}

    def only_those(sending: bool, frame: bytes) -> bytes:
        return frame if not sending or frame[0] in present else b""  # pymodbus answers for those that are not

    server = ModbusSerialServer(list(devices), port=str(port), baudrate=9600, trace_packet=only_those)
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


async def register_of(port: int, unit: int, register: int) -> int:
    """Return what a holding register of a TCP server holds, asked by pymodbus's client."""
    async with AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        return int((await client.read_holding_registers(register, device_id=unit)).registers[0])


@contextlib.asynccontextmanager
async def serial_line(folder: Path) -> AsyncIterator[tuple[Path, Path]]:
    """Yield the two ends of a serial line that socat makes of a pair of pseudo terminals."""
    ends = folder / "line-a", folder / "line-b"
    socat = await asyncio.create_subprocess_exec(
        "socat", "-d", "-d", *(f"pty,raw,echo=0,link={end}" for end in ends), stderr=asyncio.subprocess.PIPE
    )
    assert socat.stderr is not None
    try:
        async with asyncio.timeout(20):
            while b"starting data transfer" not in await socat.stderr.readline():
                assert not socat.stderr.at_eof(), "socat ended"
        yield ends
    finally:
        with contextlib.suppress(ProcessLookupError):
            socat.terminate()
        await socat.wait()


class _Mapping(ctypes.Structure):
    """modbus_mapping_t."""

    _fields_ = (
        *((name, ctypes.c_int) for name in (
            "nb_bits", "start_bits", "nb_input_bits", "start_input_bits", "nb_input_registers",
            "start_input_registers", "nb_registers", "start_registers",
        )),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )  # fmt: skip


def _library() -> ctypes.CDLL:
    found = ctypes.CDLL("libmodbus.so.5")
    found.modbus_new_tcp.restype = ctypes.c_void_p
    found.modbus_mapping_new_start_address.restype = ctypes.POINTER(_Mapping)
    return found


class LibModbus:
    """A device of libmodbus over TCP: its holding registers from `start`; all else is refused."""

    def __init__(self, start: int, registers: list[int]) -> None:
        self._library = _library()
        self.port = servers.free_port()
        self._context = ctypes.c_void_p(self._library.modbus_new_tcp(b"127.0.0.1", self.port))
        self._mapping = self._library.modbus_mapping_new_start_address(0, 0, 0, 0, start, len(registers), 0, 0)
        for at, value in enumerate(registers):
            self._mapping.contents.tab_registers[at] = value
        self._listening = self._library.modbus_tcp_listen(self._context, 4)
        assert self._listening >= 0, "libmodbus does not listen"
        self._ended = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def register(self, index: int) -> int:
        """Return what the device holds, counted from `start`."""
        return int(self._mapping.contents.tab_registers[index])

    def _serve(self) -> None:
        heard = (ctypes.c_uint8 * _MAX_TCP_FRAME)()
        listening = ctypes.c_int(self._listening)
        while not self._ended:
            if self._library.modbus_tcp_accept(self._context, ctypes.byref(listening)) < 0:
                return
            while (size := self._library.modbus_receive(self._context, heard)) >= 0:
                if size:
                    self._library.modbus_reply(self._context, heard, size, self._mapping)
            self._library.modbus_close(self._context)

    def close(self) -> None:
        """End it; whoever is connected is hung up on."""
        self._ended = True
        connected = self._library.modbus_get_socket(self._context)
        for handle in (self._listening, connected):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(handle)) as own:
                own.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()
        os.close(self._listening)
        self._library.modbus_mapping_free(self._mapping)
        self._library.modbus_free(self._context)


@contextlib.contextmanager
def libmodbus_tcp(start: int, registers: list[int]) -> Iterator[LibModbus]:
    """Run a device of libmodbus while the block lasts."""
    device = LibModbus(start, registers)
    try:
        yield device
    finally:
        device.close()
