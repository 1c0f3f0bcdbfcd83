"""`esp32` of a virtual board: one application partition and no second one to update into."""

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
        pass

    @classmethod
    def find(cls, type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        return [cls()] if type == cls.TYPE_APP else []

    def info(self):
        return (0, 0, 0x10000, 0x1F0000, "factory", False)

    def get_next_update(self):
        raise OSError(-261)  # ESP_ERR_NOT_FOUND

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        pass
