"""`esp32` of a virtual board: firmware partitions, which the host keeps (simulators/virtual/partitions.py)."""

import bridge

WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH = False, True


def wake_on_ext0(pin=None, level=None):
    pass


wake_on_ext1 = wake_on_ext0


def mcu_temperature():
    return 35


def raw_temperature():
    return 95


class Partition:
    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, which=RUNNING, block_size=4096):
        self._number = which if isinstance(which, bytes) else bridge.ask(bridge.PARTITION)

    @classmethod
    def find(cls, type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        return [cls()] if type == cls.TYPE_APP else []

    def info(self):
        if not self._number:
            return (0, 0, 0x10000, 0x1F0000, "factory", False)
        number = self._number[0]
        return (0, 16 + number, 0x10000 + 0x180000 * number, 0x180000, "ota_%d" % number, False)

    def get_next_update(self):
        if not self._number:
            raise OSError(-261)  # ESP_ERR_NOT_FOUND
        return Partition(bytes((1 - self._number[0],)))

    def writeblocks(self, number, block):
        length = 3 + len(block)
        bridge.send(bytes((bridge.PARTITION, 0, 1, length & 0xFF, length >> 8)) + self._number)
        bridge.send(number.to_bytes(2, "little"))
        bridge.send(block)  # for itself: there may be no room for a copy

    def set_boot(self):
        if not bridge.ask(bridge.PARTITION, 2, self._number):
            raise OSError(-5379)  # ESP_ERR_OTA_VALIDATE_FAILED

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        bridge.tell(bridge.PARTITION, 3)
