"""The way into a broker: TCP, TLS, CONNECT and what is answered (MQTT 3.1.1, 3.1 and 3.2). Borrowed for it."""

import asyncio
from binascii import hexlify
from hashlib import sha256

from micropython import const

from cityneuron.errors import LinkDown

_REFUSALS = {
    1: ("the broker speaks no MQTT 3.1.1", "use another broker"),
    2: ("the broker refuses this client id", "is the node's id right?"),
    3: ("the broker is not available", "wait; look at the broker's log"),
    4: ("wrong user name or password", "provision the node again"),
    5: ("the broker does not let this node in", "is the node registered? is its certificate valid?"),
}
_CONNACK = const(b"\x20\x02")
_CONNECT = const(0x10)


async def enter(host, port, connect, tls=None, timeout_ms=15_000):
    """Return the stream of a broker that let this node in upon `connect` (what connect() returns).

    Raises LinkDown, with the reason and what to do.
    """
    try:
        return await asyncio.wait_for_ms(_entered(host, port, connect, tls), timeout_ms)
    except asyncio.TimeoutError:
        raise LinkDown("no answer from %s:%d" % (host, port), "check address, port and firewall")
    except OSError as error:
        raise LinkDown("cannot reach %s:%d: %s" % (host, port, error), "check network, address and port")
    except ValueError as error:  # what the TLS library raises, with its reason over several lines
        reason = " ".join(str(error).split())
        raise LinkDown("no TLS: " + reason, "check the certificates, and the clock they are judged by")
    except EOFError:
        raise LinkDown("%s:%d hung up" % (host, port), "look at the broker's log")


async def _entered(host, port, connect, tls):
    if tls is None:
        reader, writer = await asyncio.open_connection(host, port)
    else:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
    try:
        writer.write(connect)
        await writer.drain()
        if await reader.readexactly(2) != _CONNACK:
            raise LinkDown("no MQTT broker answers", "check the port")
        code = (await reader.readexactly(2))[1]
        if code:
            raise LinkDown(*_REFUSALS.get(code, ("the broker refuses: %d" % code, "")))
    except BaseException:  # cancelled, too: the socket must not stay
        await writer.wait_closed()
        raise
    return reader  # one stream, for both ways


def connect(ident, keep_alive_s, will=None, user=None, password=None):
    """Return a CONNECT packet: a clean session, and a will of QoS 1 given as (topic, payload)."""
    flags, fields = 0x02, [_string(ident)]
    if will:
        flags |= 0x0C
        fields += [_string(will[0]), _string(will[1])]
    if user:
        flags |= 0x80
        fields.append(_string(user))
        if password:
            flags |= 0x40
            fields.append(_string(password))
    head = b"\x00\x04MQTT\x04" + bytes((flags, keep_alive_s >> 8, keep_alive_s & 0xFF))
    body = head + b"".join(fields)
    size = len(body)
    length = bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))
    return bytes((_CONNECT,)) + length + body


def client_id(node, serial):
    """Return the MQTT client id of a device: two of one node id do not throw each other off the broker."""
    if not serial:
        return node
    return "%s.%s" % (node, hexlify(sha256(serial.encode()).digest()[:4]).decode())


def _string(value):
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return bytes((len(raw) >> 8, len(raw) & 0xFF)) + raw
