"""`network` of a virtual board: Wi-Fi as the host plays it; the packets take the host's own network."""

import sys

import bridge

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING = 1000, 1001
if sys.platform == "rp2":
    STAT_GOT_IP, STAT_CONNECT_FAIL, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 3, -1, -2, -3
else:
    STAT_GOT_IP, STAT_CONNECT_FAIL, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 1010, 203, 201, 202
_UP = 0
_STATUS = (STAT_GOT_IP, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_IDLE)  # by what the host says
_hostname = "virtual"


def hostname(name=None):
    global _hostname
    _hostname = name or _hostname
    return _hostname


def country(code=None):
    return "CN"


class WLAN:
    IF_STA, IF_AP = STA_IF, AP_IF
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2

    def __init__(self, interface=STA_IF):
        self._active = False

    def active(self, on=None):
        if on is not None:
            self._active = bool(on)
            if not on:
                self.disconnect()
        return self._active

    def connect(self, ssid=None, key=None, **options):
        bridge.ask(bridge.RADIO, 1, (ssid or "").encode() + b"\x00" + (key or "").encode())

    def disconnect(self):
        bridge.ask(bridge.RADIO, 2)

    def isconnected(self):
        return bridge.ask(bridge.RADIO, 0)[0] == _UP

    def status(self, what=None):
        state = bridge.ask(bridge.RADIO, 0)
        return state[1] - 256 if what == "rssi" else _STATUS[state[0]]

    def scan(self):
        name, _, rssi = bridge.ask(bridge.RADIO, 3).partition(b"\x00")
        return [(name, bytes(6), 1, rssi[0] - 256, 3, False)] if name else []

    def ifconfig(self, addresses=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, *names, **values):
        if not names:
            return None
        if names[0] == "mac":
            return sys.modules["machine"].unique_id()[:6]
        return {"ssid": "", "channel": 1, "txpower": 20, "pm": 1}.get(names[0])
