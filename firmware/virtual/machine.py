"""`machine` of a virtual board: pins and buses whose other end is on the host, resets that end the process."""

import asyncio
import io
import time as _time
from binascii import unhexlify

import bridge
from umachine import mem8, mem16  # noqa: F401

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
PIN_WAKE, TIMER_WAKE = 2, 4
_POLLIN, _POLL_OPERATION = 1, 3
_NOBODY, _INVALID = 19, 22  # ENODEV, EINVAL
_FREQUENCY_HZ = 160_000_000
_EDGES_EVERY_MS = 50

_serial, _cause = b"", PWRON_RESET


def start(serial, cause):
    """Take the chip's number, the reset's cause and the clock from the host; called before boot.py."""
    global _serial, _cause
    _serial, _cause = unhexlify(serial), cause
    answer = bridge.ask(bridge.CLOCK)
    offset_ms = int.from_bytes(answer, "little")
    _time.set_offset(offset_ms - (1 << 64) if answer[7] & 0x80 else offset_ms)


def unique_id():
    return _serial


def reset_cause():
    return _cause


def wake_reason():
    return TIMER_WAKE if _cause == DEEPSLEEP_RESET else 0


def reset():
    bridge.end(bridge.RESET)


def soft_reset():
    bridge.end(bridge.SOFT_RESET)


def deepsleep(ms=0):
    bridge.end(bridge.SLEEP, ms)


def lightsleep(ms=0):
    _time.sleep_ms(ms)


def idle():
    pass


def freq(hz=None):
    return _FREQUENCY_HZ if hz is None else None


def disable_irq():
    return 0


def enable_irq(state=0):
    pass


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_UP, PULL_DOWN = 2, 1
    IRQ_FALLING, IRQ_RISING, WAKE_LOW, WAKE_HIGH = 2, 1, 4, 5

    def __init__(self, number, mode=-1, pull=-1, value=None):
        self.number = number.number if isinstance(number, Pin) else _pin_number(number)
        self._handler = None
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None, hold=False):
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return bridge.ask(bridge.PIN, self.number)[0]
        return bridge.tell(bridge.SET_PIN, self.number, b"\x01" if level else b"\x00")

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, hard=False, wake=None):
        """Call the handler for each edge that the host tells of, as soon as asyncio's loop runs."""
        if self._handler is None and handler is not None:
            self._watching = asyncio.create_task(self._watch())
        self._handler = handler

    async def _watch(self):
        while self._handler is not None:
            for _ in range(bridge.ask(bridge.EDGES, self.number)[0]):
                self._handler(self)
            await asyncio.sleep_ms(_EDGES_EVERY_MS)


def _pin_number(name):
    return {"LED": 25}[name] if isinstance(name, str) else name


class UART(io.IOBase):
    """A serial line; what the sensor sends of itself comes when it is looked for."""

    INV_TX, INV_RX = 1, 2

    def __init__(self, number, baudrate=9600, **options):
        self._number = number
        self._received = b""

    def init(self, baudrate=9600, **options):
        pass

    deinit = flush = init

    def any(self):
        if not self._received:
            self._received = bridge.ask(bridge.UART, self._number)
        return len(self._received)

    def read(self, length=-1):
        if not self.any():
            return None
        length = len(self._received) if length is None or length < 0 else length
        taken = self._received[:length]
        self._received = self._received[length:]
        return taken

    def readinto(self, buffer, length=-1):
        taken = self.read(len(buffer) if length < 0 else length)
        if taken is None:
            return None
        buffer[: len(taken)] = taken
        return len(taken)

    def readline(self):
        end = self._received.find(b"\n") if self.any() else -1
        return None if end < 0 else self.read(end + 1)

    def write(self, data):
        self._received += bridge.ask(bridge.UART, self._number, bytes(data))
        return len(data)

    def txdone(self):
        return True

    def ioctl(self, operation, argument):
        if operation != _POLL_OPERATION:
            return -_INVALID  # above all, it has no descriptor
        return argument & _POLLIN if self.any() else 0


class I2C:
    def __init__(self, number=0, scl=None, sda=None, freq=400_000, timeout=50_000):
        self._number = number

    def scan(self):
        return [address for address in range(8, 120) if self._ask(address, b"", 0)[0]]

    def readfrom(self, address, length, stop=True):
        return self._transfer(address, b"", length)

    def readfrom_into(self, address, buffer, stop=True):
        buffer[:] = self._transfer(address, b"", len(buffer))

    def writeto(self, address, buffer, stop=True):
        self._transfer(address, bytes(buffer), 0)
        return len(buffer)

    def readfrom_mem(self, address, register, length, addrsize=8):
        return self._transfer(address, register.to_bytes(addrsize // 8, "big"), length)

    def readfrom_mem_into(self, address, register, buffer, addrsize=8):
        buffer[:] = self.readfrom_mem(address, register, len(buffer), addrsize=addrsize)

    def writeto_mem(self, address, register, buffer, addrsize=8):
        self._transfer(address, register.to_bytes(addrsize // 8, "big") + bytes(buffer), 0)

    def _transfer(self, address, written, wanted):
        answer = self._ask(address, written, wanted)
        if not answer[0]:
            raise OSError(_NOBODY)
        return answer[1:]

    def _ask(self, address, written, wanted):
        return bridge.ask(bridge.I2C, self._number, bytes((address, wanted & 0xFF, wanted >> 8)) + written)


SoftI2C = I2C


class ADC:
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    WIDTH_12BIT = 3
    _FULL_UV = 3_300_000

    def __init__(self, pin, atten=ATTN_11DB):
        self._pin = pin.number if isinstance(pin, Pin) else pin

    def atten(self, atten):
        pass

    width = atten

    def read_uv(self):
        return int.from_bytes(bridge.ask(bridge.ADC, self._pin), "little")

    def read_u16(self):
        return min(65_535, self.read_uv() * 65_535 // self._FULL_UV)

    def read(self):
        return self.read_u16() >> 4


class I2S:
    """A microphone: the host gives the samples."""

    RX, TX, MONO, STEREO = 0, 1, 0, 1

    def __init__(self, number, **options):
        self._number = number

    def readinto(self, buffer):
        wanted = min(len(buffer), 2048)
        samples = bridge.ask(bridge.I2S, self._number, bytes((wanted & 0xFF, wanted >> 8)))
        buffer[: len(samples)] = samples
        return len(samples)

    def deinit(self):
        pass


class PWM:
    def __init__(self, pin, freq=1000, duty_u16=0, duty=None, invert=0):
        self._pin = pin.number
        self._freq, self._duty = freq, duty_u16
        self._tell()

    def init(self, freq=1000, duty_u16=0):
        self._freq, self._duty = freq, duty_u16
        self._tell()

    def freq(self, hz=None):
        if hz is None:
            return self._freq
        self._freq = hz
        return self._tell()

    def duty_u16(self, duty=None):
        if duty is None:
            return self._duty
        self._duty = duty
        return self._tell()

    def duty(self, duty=None):
        return self._duty >> 6 if duty is None else self.duty_u16(duty << 6)

    def deinit(self):
        self._duty = 0
        self._tell()

    def _tell(self):
        bridge.tell(bridge.PWM, self._pin, self._duty.to_bytes(2, "little") + self._freq.to_bytes(4, "little"))


class WDT:
    """Kept by the host: a board that does not feed it in time is killed and starts again."""

    def __init__(self, id=0, timeout=5_000):
        self._timeout = timeout.to_bytes(4, "little")
        self.feed()

    def feed(self):
        bridge.tell(bridge.WATCHDOG, 0, self._timeout)


class Memory:
    """The one register that anybody writes: to clear what is set there. A board has all of them."""

    _WATCHDOG_CLEAR, _ENABLE = 0x4005_B000, 1 << 30  # RP2040 data sheet 2.1.2, 4.7.6

    def __setitem__(self, address, value):
        if address != self._WATCHDOG_CLEAR or value != self._ENABLE:
            raise ValueError("no register 0x%08x on a virtual board" % address)
        bridge.tell(bridge.WATCHDOG, 0, b"\0\0\0\0")


mem32 = Memory()


class RTC:
    def datetime(self, parts=None):
        if parts is None:
            now = _time.gmtime()
            return now[:3] + (now[6],) + now[3:6] + (0,)
        wanted_s = _time.days(*parts[:3]) * 86_400 + parts[4] * 3600 + parts[5] * 60 + parts[6]
        offset_ms = wanted_s * 1000 - _time.unix_ms() + _time.set_offset(None)
        _time.set_offset(offset_ms)
        return bridge.tell(bridge.CLOCK, 0, (offset_ms & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"))

    init = datetime

    def memory(self, data=None):
        if data is None:
            return bridge.ask(bridge.MEMORY)
        return bridge.tell(bridge.SET_MEMORY, 0, bytes(data))


class Timer:
    """A timer that asyncio's loop drives: a program that blocks the loop blocks its timers too."""

    ONE_SHOT, PERIODIC = 0, 1

    def __init__(self, id=-1, **options):
        self._task = None
        if options:
            self.init(**options)

    def init(self, mode=PERIODIC, period=1000, freq=0, callback=None, hard=False):
        self.deinit()
        period_ms = 1000 // freq if freq else period
        self._task = asyncio.create_task(self._run(mode, period_ms, callback))

    def deinit(self):
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, mode, period_ms, callback):
        while True:
            await asyncio.sleep_ms(period_ms)
            callback(self)
            if mode == self.ONE_SHOT:
                return
