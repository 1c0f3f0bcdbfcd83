"""The wire from a virtual board to its host, which plays all that is not the processor: sensors, radio, power.

Two pipes: requests out `[op, number, channel, length, payload]`, answers in `[number, length, payload]`, with
lengths of 16 bits, low byte first. A request with number 0 wants no answer. simulators/virtual/requests.py is
the twin.
"""

import select

import utime  # `time` is imported when the board's platform is known

UART, I2C, ONEWIRE, ADC, I2S, PIN, SET_PIN, PWM, EDGES = 0x55, 0x43, 0x57, 0x41, 0x5A, 0x47, 0x50, 0x51, 0x49
RADIO, CLOCK, MEMORY, SET_MEMORY, WATCHDOG, FLASH, MODE, END = 0x4E, 0x54, 0x62, 0x42, 0x44, 0x46, 0x4D, 0x58
FRAME_BYTES = 5
INPUT, PROGRAM, COMMAND, BINARY, QUIET = 0, 1, 2, 3, 4  # MODE: see simulators/virtual/requests.py
RESET, SLEEP, CUT, SOFT_RESET, SOFT_RESET_RAW = 0, 1, 2, 3, 4  # END: why

_head = bytearray(3)
_poller = select.poll()
_requests = _answers = None
_number = 0


def connect(requests_fd, answers_fd):
    global _requests, _answers
    _requests = open("/proc/self/fd/%d" % requests_fd, "wb")
    _answers = open("/proc/self/fd/%d" % answers_fd, "rb")
    _poller.register(_answers, select.POLLIN)


def send(frame):
    """Send a whole request that was made beforehand."""
    _requests.write(frame)


def tell(op, channel=0, payload=b""):
    """Send a request that wants no answer."""
    _requests.write(bytes((op, 0, channel, len(payload) & 0xFF, len(payload) >> 8)) + payload)


def ask(op, channel=0, payload=b""):
    """Send a request and return its answer. Ctrl-C may end the waiting; the late answer is thrown away then."""
    global _number
    _number = _number % 255 + 1
    _requests.write(bytes((op, _number, channel, len(payload) & 0xFF, len(payload) >> 8)) + payload)
    while True:
        _poller.poll()
        # MicroPython looks for Ctrl-C at jumps: without one here, no frame is left half read
        _answers.readinto(_head)
        answer = _answers.read(_head[1] | _head[2] << 8)
        if _head[0] == _number:
            return answer


def mode(which):
    """Tell the host what runs. After its answer, no Ctrl-C of the mode before can come."""
    while True:
        try:
            ask(MODE, which)
            return
        except KeyboardInterrupt:
            pass


def end(why, ms=0):
    """End this process as a reset or a power cut would: at once, nothing is unwound. The host kills it."""
    tell(END, why, ms.to_bytes(8, "little"))
    while True:
        try:
            utime.sleep(1)
        except KeyboardInterrupt:
            pass
