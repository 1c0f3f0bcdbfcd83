"""Asks the network for the time, before any certificate is judged by it: a small SNTP client.

Sources: RFC 4330 (SNTP), RFC 5905 section 7.3 (packet), 7.4 (kiss codes). Integers only. The gateway's host is
asked first, so a node whose network ends at the cabinet has a clock too.
"""

import asyncio
import socket
from struct import unpack_from

from micropython import const

from cityneuron.errors import ClockError

_PORT = const(123)
_PACKET_BYTES = const(48)
_CLIENT = const(0x23)  # version 4, mode 3
_SERVER_MODE = const(4)
_UNSYNCHRONISED = const(3)  # leap indicator 3: the server's own clock is not set
_UNIX_S = const(2_208_988_800)  # from 1900, where NTP counts from, to 1970
_ERA_S = const(1 << 32)
_CREDIBLE_MS = const(20 * 365 * 86_400_000)  # after the build: later is a wrong clock, not an old node
_TIMEOUT_MS = const(2_000)
_POLL_MS = const(5)
_SHUN_MS = {b"RATE": 900_000}  # who asks too often comes back in a quarter of an hour
_SHUN_OTHERS_MS = const(86_400_000)  # DENY, RSTR: not wanted here


def split(host):
    """Return (name, port) of "name" or "name:port"."""
    name, _, port = host.partition(":")
    return name, int(port) if port else _PORT


def kiss(answer):
    """Return the four letters of a kiss-of-death, or None."""
    if len(answer) >= _PACKET_BYTES and answer[0] & 7 == _SERVER_MODE and answer[1] == 0:
        return bytes(answer[12:16])
    return None


def read(answer, nonce, waited_ms, earliest_ms):
    """Return the time of an answer's arrival, epoch ms. Pure. Raises ClockError with the reason.

    `nonce` is what the question carried as its time: an answer that does not repeat it is none to us.
    The era of the 32-bit seconds (2036) is the first that lies after `earliest_ms`, the time of the build.
    """
    if len(answer) < _PACKET_BYTES:
        raise ClockError("an answer of %d bytes is no NTP" % len(answer))
    if answer[0] & 7 != _SERVER_MODE or not 1 <= answer[0] >> 3 & 7 <= 4:
        raise ClockError("an answer that is not a server's")
    if bytes(answer[24:32]) != nonce:
        raise ClockError("an answer to another question")
    code = kiss(answer)
    if code is not None:
        raise ClockError("the time server refuses: %r" % code, "ask another one: ntp_hosts")
    if answer[0] >> 6 == _UNSYNCHRONISED or answer[1] > 15:
        raise ClockError("the time server's own clock is not set", "look at the gateway's clock")
    received_s, received, sent_s, sent = unpack_from(">IIII", answer, 32)
    if not sent_s:
        raise ClockError("the time server says no time")
    held_ms = ((((sent_s - received_s) << 32) + sent - received) * 1000) >> 32
    if not 0 <= held_ms <= waited_ms:
        held_ms = 0
    seconds = sent_s - _UNIX_S
    if seconds * 1000 < earliest_ms:
        seconds += _ERA_S
    epoch_ms = seconds * 1000 + (sent * 1000 >> 32) + (waited_ms - held_ms) // 2
    if not earliest_ms <= epoch_ms < earliest_ms + _CREDIBLE_MS:
        raise ClockError("the time server's clock is wrong", "look at the gateway's clock")
    return epoch_ms


async def ask(servers):
    """Return the time of the first of the Servers that gives one, epoch ms. Raises ClockError: all reasons."""
    reasons = []
    for index, host in enumerate(servers.hosts):
        if servers.clock.uptime_ms() < servers.shunned_until_ms[index]:
            reasons.append("%s does not want to be asked" % host)
            continue
        try:
            return await _ask(servers, index)
        except OSError as error:
            reasons.append("%s: %s" % (host, error))
        except ClockError as error:
            reasons.append("%s: %s" % (host, error.message))
    raise ClockError(
        "no time: " + "; ".join(reasons), "does the gateway answer SNTP? is UDP to port 123 let through?"
    )


async def _ask(servers, index):
    name, port = split(servers.hosts[index])
    question = bytearray(_PACKET_BYTES)
    question[0] = _CLIENT
    for at in range(40, 48):
        question[at] = servers.getrandbits(8)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        client.setblocking(False)
        client.connect(socket.getaddrinfo(name, port, 0, socket.SOCK_DGRAM)[0][-1])
        client.send(question)
        return await _answer(servers, index, client, bytes(question[40:48]))
    finally:
        client.close()


async def _answer(servers, index, client, nonce):
    """Take the first answer to our question; what is none to us is passed over until the time is up."""
    reason, clock = "no answer", servers.clock
    started_ms = clock.uptime_ms()
    while True:
        waited_ms = clock.uptime_ms() - started_ms
        try:
            answer = client.recv(2 * _PACKET_BYTES)
        except OSError as error:
            if error.errno != 11:  # EAGAIN: nothing yet
                raise
            answer = None
        if answer:
            code = kiss(answer)
            if code is not None and bytes(answer[24:32]) == nonce:
                servers.shunned_until_ms[index] = clock.uptime_ms() + _SHUN_MS.get(code, _SHUN_OTHERS_MS)
            try:
                return read(answer, nonce, waited_ms, servers.earliest_ms)
            except ClockError as error:
                if bytes(answer[24:32]) == nonce:
                    raise
                reason = error.message
        elif waited_ms >= _TIMEOUT_MS:
            raise ClockError(reason)
        else:
            await asyncio.sleep_ms(_POLL_MS)
