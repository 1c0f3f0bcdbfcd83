"""The wire from a virtual board to its host, which plays all that is not the processor: sensors, radio, power.

Two pipes: requests out `[op, number, channel, length, payload]`, answers in `[number, length, payload]`, with
lengths of 16 bits, low byte first. A request with number 0 wants no answer; an answer with number 0 is Ctrl-C.
simulators/virtual/requests.py is the twin.

Ctrl-C comes this way because the unix port raises KeyboardInterrupt in the middle of anything, LittleFS and the
collector of garbage too, when a signal brings it. Here it is raised where a program waits, opens a file or uses
a bus; the signal follows only when a program does nothing of that for a while.
"""

import uselect
import utime

UART, I2C, ONEWIRE, ADC, I2S, PIN, SET_PIN, PWM, EDGES = 0x55, 0x43, 0x57, 0x41, 0x5A, 0x47, 0x50, 0x51, 0x49
RADIO, CLOCK, MEMORY, SET_MEMORY, WATCHDOG, FLASH, MODE, END, TAKEN = (
    0x4E,
    0x54,
    0x62,
    0x42,
    0x44,
    0x46,
    0x4D,
    0x58,
    0x4B,
)
PARTITION = 0x52
FRAME_BYTES = 5
INPUT, PROGRAM, COMMAND, BINARY, QUIET = 0, 1, 2, 3, 4  # MODE: see simulators/virtual/requests.py
RESET, SLEEP, CUT, SOFT_RESET, SOFT_RESET_RAW = 0, 1, 2, 3, 4  # END: why

_head = bytearray(3)
_poller = uselect.poll()
_requests = _answers = None
_number = 0


def connect(requests_fd, answers_fd):
    global _requests, _answers
    _requests = open("/proc/self/fd/%d" % requests_fd, "wb")
    _answers = open("/proc/self/fd/%d" % answers_fd, "rb")
    watch(_poller)


def watch(poller):
    """Let a poller see Ctrl-C, as something to be read from what is_wire() knows."""
    poller.register(_answers, uselect.POLLIN)


def is_wire(stream):
    return stream is _answers


def look():
    """Take what came unasked: KeyboardInterrupt is raised, or SystemExit when the host is gone."""
    if not _answers.readinto(_head):
        raise SystemExit
    tell(TAKEN)
    raise KeyboardInterrupt


def wait(ms):
    """Sleep. Raises KeyboardInterrupt for Ctrl-C."""
    if _poller.poll(ms):
        look()


def send(frame):
    """Send a whole request that was made beforehand."""
    _requests.write(frame)


def tell(op, channel=0, payload=b""):
    """Send a request that wants no answer."""
    _requests.write(bytes((op, 0, channel, len(payload) & 0xFF, len(payload) >> 8)) + payload)


def ask(op, channel=0, payload=b""):
    """Send a request and return its answer. Raises KeyboardInterrupt, with the answer taken."""
    global _number
    _number = _number % 255 + 1
    _requests.write(bytes((op, _number, channel, len(payload) & 0xFF, len(payload) >> 8)) + payload)
    interrupted = False
    while True:
        _poller.poll()
        if not _answers.readinto(_head):
            raise SystemExit
        answer = _answers.read(_head[1] | _head[2] << 8)
        if _head[0] == _number:
            break
        interrupted = interrupted or not _head[0]
    if interrupted:
        tell(TAKEN)
        raise KeyboardInterrupt
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
