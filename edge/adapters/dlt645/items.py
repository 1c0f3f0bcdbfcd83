"""What meters have under each identifier of DL/T 645-2007 (its annex A): size, decimals, unit, sign, name.

An identifier is written DI3 DI2 DI1 DI0, as in the standard. FF in it asks for a block: all tariffs, phases...
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from edge.adapters.report import Word


class Form(Enum):
    """How the bytes of an item are read."""

    NUMBER = "number"
    DEMAND = "demand"  # a number of 3 bytes and the time of its occurrence
    TIME = "time"  # digits of a date or time
    DIGITS = "digits"  # an address or a number that is a name
    TEXT = "text"
    BITS = "bits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One identifier: `keys` names its elements (one, or those of a block in their order), `size` is of each.

    `signed`: the top bit of the highest byte is the sign. `decimals` are of a number.
    """

    name: str
    keys: tuple[str, ...]
    size: int
    decimals: int = 0
    unit: str = ""
    signed: bool = False
    form: Form = Form.NUMBER

    @property
    def numeric(self) -> bool:
        """Whether it can be a reading."""
        return self.form in (Form.NUMBER, Form.DEMAND)


_TARIFFS = 63
_SETTLEMENTS = 12
_PHASES = ("total", "phase A", "phase B", "phase C")
_TWENTY = 0x14  # from a sum's identifiers to phase A's, from A's to B's, from B's to C's

# DI2: name, unit of energy, unit of demand, signed
_FLOWS = {
    0x00: ("combined active", "kWh", "kW", True),
    0x01: ("forward active", "kWh", "kW", False),
    0x02: ("reverse active", "kWh", "kW", False),
    0x03: ("combined reactive 1", "kvarh", "kvar", True),
    0x04: ("combined reactive 2", "kvarh", "kvar", True),
    0x05: ("first quadrant reactive", "kvarh", "kvar", False),
    0x06: ("second quadrant reactive", "kvarh", "kvar", False),
    0x07: ("third quadrant reactive", "kvarh", "kvar", False),
    0x08: ("fourth quadrant reactive", "kvarh", "kvar", False),
    0x09: ("forward apparent", "kVAh", "kVA", False),
    0x0A: ("reverse apparent", "kVAh", "kVA", False),
}
# DI2: name; energies only
_FURTHER = {
    0x80: "associated active",
    0x81: "forward active fundamental",
    0x82: "reverse active fundamental",
    0x83: "forward active harmonic",
    0x84: "reverse active harmonic",
    0x85: "copper loss",
    0x86: "iron loss",
}
# DI2: name, bytes, decimals, unit, signed, whether there is a total beside the phases
_INSTANT = {
    0x01: ("voltage", 2, 1, "V", False, False),
    0x02: ("current", 3, 3, "A", True, False),
    0x03: ("active power", 3, 4, "kW", True, True),
    0x04: ("reactive power", 3, 4, "kvar", True, True),
    0x05: ("apparent power", 3, 4, "kVA", True, True),
    0x06: ("power factor", 2, 3, "", True, True),
    0x07: ("phase angle", 2, 1, "deg", False, False),
    0x08: ("voltage distortion", 2, 2, "%", False, False),
    0x09: ("current distortion", 2, 2, "%", False, False),
}
_HARMONICS = {0x0A: "voltage harmonic", 0x0B: "current harmonic"}
_ORDERS = 21

# identifier: name, bytes, decimals, unit, signed
_NUMBERS = {
    "00900100": ("energy left", 4, 2, "kWh", False),
    "00900101": ("energy overdrawn", 4, 2, "kWh", False),
    "00900200": ("money left", 4, 2, "CNY", False),
    "00900201": ("money overdrawn", 4, 2, "CNY", False),
    "02800001": ("neutral current", 3, 3, "A", True),
    "02800002": ("frequency", 2, 2, "Hz", False),
    "02800003": ("active power, mean of a minute", 3, 4, "kW", True),
    "02800004": ("active demand now", 3, 4, "kW", True),
    "02800005": ("reactive demand now", 3, 4, "kvar", True),
    "02800006": ("apparent demand now", 3, 4, "kVA", False),
    "02800007": ("temperature in the meter", 2, 1, "Cel", True),
    "02800008": ("voltage of the clock's battery", 2, 2, "V", False),
    "02800009": ("voltage of the reading battery", 2, 2, "V", False),
    "0280000A": ("working time of the battery", 4, 0, "min", False),
    "0280000B": ("price of the present step", 4, 4, "CNY/kWh", False),
    "02800020": ("price now", 4, 4, "CNY/kWh", False),
    "03110000": ("power failures", 3, 0, "", False),
    "03300000": ("times programmed", 3, 0, "", False),
    "03300100": ("times cleared", 3, 0, "", False),
    "03300200": ("times the demand was cleared", 3, 0, "", False),
    "03300300": ("times the events were cleared", 3, 0, "", False),
    "03300400": ("times the clock was set", 3, 0, "", False),
    "03300D00": ("times the cover was opened", 3, 0, "", False),
    "03300E00": ("times the terminal cover was opened", 3, 0, "", False),
    "04000103": ("demand period", 1, 0, "min", False),
    "04000104": ("demand slip", 1, 0, "min", False),
    "04000105": ("pulse width", 2, 0, "ms", False),
    "04000201": ("yearly zones", 1, 0, "", False),
    "04000202": ("daily tables", 1, 0, "", False),
    "04000203": ("daily slots", 1, 0, "", False),
    "04000204": ("tariffs", 1, 0, "", False),
    "04000205": ("holidays", 2, 0, "", False),
    "04000206": ("harmonics analysed", 1, 0, "", False),
    "04000306": ("current transformer ratio", 3, 0, "", False),
    "04000307": ("voltage transformer ratio", 3, 0, "", False),
    "04000409": ("active constant", 3, 0, "imp/kWh", False),
    "0400040A": ("reactive constant", 3, 0, "imp/kvarh", False),
}
# identifier: name, bytes, form
_PARAMETERS = {
    "04000101": ("date and weekday", 4, Form.TIME),
    "04000102": ("time", 3, Form.TIME),
    "0400010C": ("date, weekday and time", 7, Form.TIME),
    "04000401": ("communication address", 6, Form.DIGITS),
    "04000402": ("meter number", 6, Form.DIGITS),
    "04000403": ("asset number", 32, Form.TEXT),
    "04000404": ("rated voltage", 6, Form.TEXT),
    "04000405": ("rated current", 6, Form.TEXT),
    "04000406": ("highest current", 6, Form.TEXT),
    "04000407": ("class of active accuracy", 4, Form.TEXT),
    "04000408": ("class of reactive accuracy", 4, Form.TEXT),
    "0400040B": ("model", 10, Form.TEXT),
    "0400040C": ("date of manufacture", 10, Form.TEXT),
    "0400040D": ("protocol version", 16, Form.TEXT),
    "0400040E": ("customer number", 6, Form.DIGITS),
    "04800001": ("software version", 32, Form.TEXT),
    "04800002": ("hardware version", 32, Form.TEXT),
    "04800003": ("maker's number", 32, Form.TEXT),
    **{f"0400050{word}": (f"status word {word}", 2, Form.BITS) for word in range(1, 8)},
}
_FREEZES = {0: "timed", 1: "at once", 2: "at zones' change", 3: "at tables' change", 5: "at tariffs' change",
            6: "daily"}  # fmt: skip

WORDS: dict[str, Word] = {
    "00010000": Word("energy_wh", 1000.0),
    "00020000": Word("reverse_energy_wh", 1000.0),
    "00030000": Word("reactive_energy_varh", 1000.0),  # quadrants 1 and 4, unless the meter is set otherwise
    "00040000": Word("reverse_reactive_energy_varh", 1000.0),  # 2 and 3
    **{f"00010{tariff}00": Word(f"energy_t{tariff}_wh", 1000.0) for tariff in range(1, 5)},
    "02010100": Word("voltage_v"),
    "02010200": Word("voltage_b_v"),
    "02010300": Word("voltage_c_v"),
    "02020100": Word("current_a"),
    "02020200": Word("current_b_a"),
    "02020300": Word("current_c_a"),
    "02030000": Word("power_w", 1000.0),
    "02030100": Word("power_a_w", 1000.0),
    "02030200": Word("power_b_w", 1000.0),
    "02030300": Word("power_c_w", 1000.0),
    "02040000": Word("reactive_power_var", 1000.0),
    "02050000": Word("apparent_power_va", 1000.0),
    "02060000": Word("power_factor"),
    "02800002": Word("frequency_hz"),
    "02800008": Word("battery_v"),
}
"""What the catalogue has. Combined energy, demands, settlement days, harmonics: a device's own table tells."""

THREE_PHASE_WORDS: dict[str, Word] = {"02010100": Word("voltage_a_v"), "02020100": Word("current_a_a")}
"""What a single-phase meter says of its only phase, a three-phase meter says of the first."""

THREE_PHASES: tuple[str, ...] = (
    "00010000", "00020000", "00030000", "0201FF00", "0202FF00", "0203FF00", "02040000", "02050000", "02060000",
    "02800002",
)  # fmt: skip
"""What a three-phase meter is asked for: its phases in blocks: three questions on a slow line, not nine."""


@lru_cache(maxsize=4096)
def item(di: str) -> Item | None:
    """Return what an identifier (eight hex digits, upper case) stands for; None where this table lacks it."""
    if di in _NUMBERS:
        name, size, decimals, unit, signed = _NUMBERS[di]
        return Item(name=name, keys=(di,), size=size, decimals=decimals, unit=unit, signed=signed)
    if di in _PARAMETERS:
        name, size, form = _PARAMETERS[di]
        return Item(name=name, keys=(di,), size=size, form=form)
    if di == "040005FF":
        keys = tuple(f"0400050{word}" for word in range(1, 8))
        return Item(name="status words", keys=keys, size=2, form=Form.BITS)
    family, kind, group, last = bytes.fromhex(di)
    families = {0: _energy, 1: _demand, 2: _variable, 5: _frozen}
    return families[family](kind, group, last) if family in families else None


def _energy(kind: int, group: int, last: int) -> Item | None:
    base, phase = _of_phase(kind, 0x80 if kind >= 0x80 else 0)
    if base in _FURTHER:
        name, unit, signed = _FURTHER[base], "kWh", False
    elif base in _FLOWS:
        name, unit, _, signed = _FLOWS[base]
    else:
        return None
    if (keys := _register(0, kind, group, last, phase)) is None:
        return None
    return Item(name=f"{name} energy{phase}", keys=keys, size=4, decimals=2, unit=unit, signed=signed)


def _demand(kind: int, group: int, last: int) -> Item | None:
    base, phase = _of_phase(kind, 0)
    keys = _register(1, kind, group, last, phase)
    if not 0 < base <= 0x0A or keys is None:
        return None
    name, _, unit, signed = _FLOWS[base]
    named = f"highest {name} demand{phase}"
    return Item(name=named, keys=keys, size=8, decimals=4, unit=unit, signed=signed, form=Form.DEMAND)


def _variable(kind: int, group: int, last: int) -> Item | None:
    if kind in _HARMONICS and 1 <= group <= 3 and (1 <= last <= _ORDERS or last == 0xFF):
        orders = range(1, _ORDERS + 1) if last == 0xFF else (last,)
        keys = tuple(f"02{kind:02X}{group:02X}{order:02X}" for order in orders)
        return Item(name=f"{_HARMONICS[kind]}, {_PHASES[group]}", keys=keys, size=2, decimals=2, unit="%")
    if kind not in _INSTANT or last:
        return None
    name, size, decimals, unit, signed, summed = _INSTANT[kind]
    phases = range(0 if summed else 1, 4)
    if group != 0xFF and group not in phases:
        return None
    keys = tuple(f"02{kind:02X}{phase:02X}00" for phase in (phases if group == 0xFF else (group,)))
    named = name if group == 0xFF else f"{name}, {_PHASES[group]}"
    return Item(name=named, keys=keys, size=size, decimals=decimals, unit=unit, signed=signed)


def _frozen(kind: int, group: int, last: int) -> Item | None:
    di = f"05{kind:02X}{group:02X}{last:02X}"
    if not 1 <= last <= 0xFE or (kind not in _FREEZES and kind != 4):
        return None
    freeze = f"frozen {_FREEZES.get(kind, 'hourly')}, "
    if group == 0:
        return Item(name=freeze + "time", keys=(di,), size=5, form=Form.TIME)
    if kind == 4:
        if group not in (1, 2):
            return None
        name, unit, _, signed = _FLOWS[group]
        return Item(name=f"{freeze}{name} energy", keys=(di,), size=4, decimals=2, unit=unit, signed=signed)
    keys = (di, *(f"{di}/{tariff}" for tariff in range(1, _TARIFFS + 1)))
    if 1 <= group <= 8:
        name, unit, _, signed = _FLOWS[group]
        return Item(name=f"{freeze}{name} energy", keys=keys, size=4, decimals=2, unit=unit, signed=signed)
    if group in (9, 0x0A):
        name, _, unit, signed = _FLOWS[group - 8]
        named = f"{freeze}highest {name} demand"
        return Item(name=named, keys=keys, size=8, decimals=4, unit=unit, signed=signed, form=Form.DEMAND)
    return None


def _of_phase(kind: int, first: int) -> tuple[int, str]:
    """Return the kind of the sum that a phase's kind belongs to, and the phase as a suffix of names."""
    phase, offset = divmod(kind - first, _TWENTY)
    if phase > 3 or (phase and not first and not offset):
        return -1, ""
    return first + offset, f", {_PHASES[phase]}" if phase else ""


def _register(family: int, kind: int, group: int, last: int, phase: str) -> tuple[str, ...] | None:
    """Return elements: total, a tariff or all, of now, a settlement day or all; None where it is neither."""
    tariffs = range(_TARIFFS + 1) if group == 0xFF else (group,)
    days = range(_SETTLEMENTS + 1) if last == 0xFF else (last,)
    if tariffs[-1] > _TARIFFS or days[-1] > _SETTLEMENTS or (len(tariffs) > 1 and len(days) > 1):
        return None
    if phase and tariffs[-1]:
        return None
    return tuple(f"{family:02X}{kind:02X}{tariff:02X}{day:02X}" for tariff in tariffs for day in days)
