"""Every row of the catalogue is complete, and no unit stands in it that nobody defined."""

import csv
import math
from pathlib import Path

import pytest

from edge.model.kinds import KINDS, SYSTEMS, Kind
from edge.model.quantities import QUANTITIES, Form, Mean, Quantity
from edge.model.units import UNITS, Origin

# RFC 8798: section 2 (primary) and section 3 (secondary), the names alone
RFC8798 = set(
    """B VA VAs var vars J/m kg/m3 deg
    ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm ug/m3 mm/h m/h ppm
    /100 /1000 hPa mm cm km km/h""".split()  # noqa: SIM905 (reads as the registry does)
)


@pytest.fixture(scope="module")
def registry(shared_data: Path) -> set[str]:
    """The unit names of RFC 8428's registry that are not discouraged, and those of RFC 8798."""
    with (shared_data / "senml-rfc8428/units_rfc8428.csv").open(encoding="utf-8") as file:
        return {row["symbol"] for row in csv.DictReader(file) if row["discouraged"] == "no"} | RFC8798


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda row: row.name)
def test_every_quantity_is_complete(quantity: Quantity) -> None:
    assert quantity.label_en and quantity.label_zh
    assert quantity.unit in UNITS
    assert math.isfinite(quantity.low) and quantity.low < quantity.high < math.inf
    assert 0 < quantity.resolution <= quantity.high - quantity.low
    assert 0 <= quantity.decimals <= 6 and round(quantity.resolution, quantity.decimals) > 0
    assert quantity.max_rate_per_s > 0
    assert quantity.stuck_after_s is None or quantity.stuck_after_s > 0
    assert quantity.warm_up_s >= 0
    assert isinstance(quantity.form, Form) and isinstance(quantity.mean, Mean)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda row: row.name)
def test_every_quantity_is_measured_by_a_kind(quantity: Quantity) -> None:
    assert any(quantity.name in kind.known for kind in KINDS.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda row: row.name)
def test_every_kind_is_complete(kind: Kind) -> None:
    assert kind.label_en and kind.label_zh
    assert kind.system in SYSTEMS
    assert kind.period_s > 0
    assert kind.headline in kind.quantities
    assert len(set(kind.known)) == len(kind.known)
    assert all(name in QUANTITIES for name in kind.known)


def test_default_schemas_are_not_shared() -> None:
    assert len({kind.schema for kind in KINDS.values()}) == len(KINDS)


def test_the_kinds_are_those_that_the_city_asks_for() -> None:
    wanted = [
        "water_level",
        "rain_gauge",
        "sluice_gate",
        "manhole",
        "streetlight",
        "air_quality",
        "water_quality",
        "noise",
        "soil",
        "radiation",
        "weather",
        "structure",
        "tunnel",
        "power_meter",
        "water_meter",
        "gas_meter",
        "charging_pile",
        "parking_bay",
        "footfall",
        "hazmat",
        "outfall",
        "dust",
        "groundwater",
        "three_phase_meter",
    ]
    assert set(wanted) <= set(KINDS)


def test_units_are_registered_or_declared_as_our_own(registry: set[str]) -> None:
    for name, unit in UNITS.items():
        assert unit.symbol == name
        assert (name in registry) == (unit.origin is not Origin.OWN), name


def test_derived_units_say_what_they_are_in_registered_ones(registry: set[str]) -> None:
    for unit in UNITS.values():
        if unit.origin is Origin.RFC8798_SECONDARY or (unit.origin is Origin.OWN and unit.base):
            assert unit.base in registry and unit.factor > 0, unit.symbol
