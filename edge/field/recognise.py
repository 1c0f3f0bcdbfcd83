"""What programs and boards say when something fails -> the symptom that it means. Words only."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from typing import Any

from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.stages import Stage
from edge.field.status import NodeStatus

_BUSY = re.compile(r"exclusively lock|resource busy|access is denied|in use", re.I)
_GONE = re.compile(
    r"no such file|no such device|filenotfound|device not configured|disconnected|doesn't exist", re.I
)
_DENIED = re.compile(r"permission denied|permissionerror|errno 13", re.I)


def of_port(error: Exception | str, port: str, *, group: str = "dialout", holder: str = "") -> FieldError:
    """Return what keeps a serial port from being used."""
    text, number = str(error), getattr(error, "errno", None)
    facts: dict[str, Any] = {"port": port, "group": group, "holder": holder and f" by {holder}"}
    if number == errno.EACCES or _DENIED.search(text):
        return diagnose(Symptom.NO_PERMISSION, **facts)
    if number == errno.EBUSY or _BUSY.search(text):
        return diagnose(Symptom.PORT_BUSY, **facts)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO) or _GONE.search(text):
        return diagnose(Symptom.PORT_GONE, **facts)
    return diagnose(Symptom.PORT_BROKEN, **facts, said=_short(text))


_ESPTOOL: tuple[tuple[str, Symptom], ...] = (
    (r"MD5 of file does not match|Verification failed", Symptom.FLASH_DIFFERS),
    (r"written flash region is empty", Symptom.FLASH_DIFFERS),
    (r"Wrong boot mode|Failed to connect|No serial data received|Failed to autodetect", Symptom.CHIP_SILENT),
    (r"Download mode successfully detected", Symptom.CHIP_SILENT),
)


def of_esptool(said: Sequence[str], port: str, *, writing: bool) -> FieldError:
    """Return what esptool's last words mean; `writing`: the flash was being written."""
    text = "\n".join(said)
    if re.search(r"Could not open|port is busy", text):
        reason = re.search(r"\(([^)]*(?:Errno|busy|denied|lock)[^\n]*)\)", text)
        return of_port(reason[1] if reason else text, port)
    for pattern, symptom in _ESPTOOL:
        if re.search(pattern, text, re.I):
            return diagnose(symptom, port=port)
    if re.search(r"No more data to read|SerialException|device disconnected|Errno 5\b", text):
        return diagnose(Symptom.PORT_GONE, stage=Stage.FLASH if writing else Stage.CHIP, port=port)
    symptom = Symptom.FLASH_BROKE_OFF if writing else Symptom.CHIP_SILENT
    return diagnose(symptom, port=port, said=last_words(said))


def of_mpremote(said: Sequence[str], port: str) -> FieldError:
    """Return what mpremote's last words mean."""
    text = "\n".join(said)
    if re.search(r"failed to access|may be in use", text):
        return of_port("in use" if "in use" in text else "no such device", port)
    if re.search(r"could not enter raw repl|could not exec|timeout waiting", text, re.I):
        return diagnose(Symptom.NO_REPL, port=port, said=last_words(said))
    if re.search(r"ENOSPC|Errno 28|No space left", text):
        return diagnose(Symptom.BOARD_FULL, port=port)
    return diagnose(Symptom.COPY_BROKE_OFF, port=port, said=last_words(said))


_NODE: tuple[tuple[str, str, Symptom], ...] = (
    # stage, pattern, symptom. Wi-Fi codes: ESP-IDF's wifi_err_reason_t and MicroPython's; CYW43 counts below 0.
    # Bare TLS codes are mbedTLS's, built without its words: -9984 unverified, -30592 fatal alert.
    ("network", r"access point (lets|refuses)", Symptom.NODE_SAYS),
    ("network", r"password|auth|handshake|status (202|204|15|-3)\b", Symptom.BAD_PASSWORD),
    ("network", r"address|dhcp|status 2\b", Symptom.NO_ADDRESS),
    ("network", r"no access point|not found|no wi-?fi|status (200|201|203|21[0-2]|-[12])\b", Symptom.NO_WIFI),
    ("clock", r"", Symptom.NO_TIME),
    ("broker", r"not yet valid|expired|BADCERT_(FUTURE|EXPIRED)|not valid (yet|any ?more)|validity",
     Symptom.TLS_DATE),
    ("broker", r"addrinfo|name or service|no such host|unknown host|cannot resolve|gaierror|\(-2,|-202\b"
     r"|\bDNS\b|no address for", Symptom.DNS),
    ("broker", r"not authori[sz]ed|bad user|user ?name|refuses the (name|log)", Symptom.LOGIN_REFUSED),
    ("broker", r"unknown ca|unknown_ca|NOT_TRUSTED|not correctly signed|CN_MISMATCH|verify.failed|not by our"
     r"|-9984\b",
     Symptom.TLS_AUTHORITY),
    ("broker", r"alert.*(certificate|handshake|unknown|revoked|access)|certificate (revoked|refused)"
     r"|FATAL.?ALERT|-30592\b|bad certificate", Symptom.CERTIFICATE_REFUSED),
    ("broker", r"no answer|cannot reach|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|refused|timed? ?out|no route",
     Symptom.BROKER_AWAY),
    ("broker", r"hung up|no MQTT|end of stream|connection broke|ECONNRESET", Symptom.BROKER_HANGS_UP),
    ("birth", r"access list|not authori[sz]ed|refuses a subscription|hung up|does not acknowledge",
     Symptom.ACCESS_LIST),
    ("sample", r"", Symptom.SENSOR_SILENT),
)  # fmt: skip
_RAN = {stage: index for index, stage in enumerate(("network", "clock", "broker", "birth", "sample", "acked"))}
SURE = frozenset(
    {
        Symptom.NO_WIFI_NAME,
        Symptom.BAD_PASSWORD,
        Symptom.TLS_DATE,
        Symptom.TLS_AUTHORITY,
        Symptom.CERTIFICATE_REFUSED,
        Symptom.LOGIN_REFUSED,
        Symptom.ACCESS_LIST,
        Symptom.DNS,
    }
)
"""What waiting does not mend: told as soon as the node has said it twice."""


def symptom_of(stage: str, text: str) -> Symptom | None:
    """Return what a node's own error means; its stage may be missing or differ, the words decide then."""
    for exact in (True, False):
        for where, pattern, symptom in _NODE:
            if exact and where != stage:
                continue
            if not exact and (not pattern or stage in _RAN):
                continue
            if re.search(pattern, text, re.I):
                return symptom
    return None


def of_node(status: NodeStatus, stage: Stage, **facts: object) -> FieldError | None:
    """Return what the newest error of this stage, or of none in particular, means; None when there is none."""
    for fault in status.errors:  # the newest first
        at = "broker" if fault.stage in ("tls", "link", "mqtt") else fault.stage
        if at in _RAN and at != stage.value:
            continue
        found = symptom_of(at or stage.value, fault.text)
        if found is Symptom.NO_WIFI and facts.get("ssid") == "":
            found = Symptom.NO_WIFI_NAME
        name, mark, said = fault.text.partition(": ")
        known = {"said": fault.text, "remedy": fault.remedy, "clock": status.clock, **facts}
        if found is Symptom.SENSOR_SILENT and mark:
            known |= {"sensor": name, "said": said}
        if found is not None:
            return diagnose(found, stage=stage, **known)
        return diagnose(Symptom.NODE_SAYS, stage=stage, **known)
    return None


_FALL = re.compile(r"(?:cannot start|cannot go on|safe mode after \d+ failed starts): (.+)")
_RAISED = re.compile(r"[A-Z]\w*(Error|Exception|Interrupt)\b")


def of_fall(heard: Sequence[str]) -> FieldError | None:
    """Return why a node did not start, from the lines of its console; None when they say nothing of it."""
    for index, line in enumerate(heard):
        found = _FALL.search(line)
        if found is not None:
            after = heard[index + 1] if index + 1 < len(heard) else ""
            return diagnose(Symptom.NODE_FELL, said=found[1], remedy=after.partition("remedy: ")[2].strip())
        if "cannot start" in line:  # not even the start of the firmware ran: what was raised stands before
            raised = [each.strip() for each in heard[:index] if _RAISED.match(each)]
            return diagnose(Symptom.NODE_FELL, said=raised[-1] if raised else line, remedy=_WRITE_ANEW)
    return None


_WRITE_ANEW = "write everything anew: run it again with --erase"


def last_words(said: Sequence[str]) -> str:
    """Return the last line that says something."""
    words = [line.strip() for line in said if line.strip() and not line.startswith("For troubleshooting")]
    return _short(words[-1]) if words else "it said nothing"


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
