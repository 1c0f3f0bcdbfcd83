"""Numbers that rules watch beside plain values. A plug-in point: a form is a row of FORMS and a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.model.errors import ConfigError
from edge.rules.aqi import AqiForm
from edge.rules.events import DifferenceForm, EnergyForm, LeqForm
from edge.rules.forecast import ForecastForm
from edge.rules.rule import Derive
from edge.rules.source import Form
from edge.rules.windows import MeanOver, OverForm, RateOver, SumOver

FORMS: dict[str, Form] = {
    "mean": OverForm("mean", MeanOver, ""),
    "sum": OverForm("sum", SumOver, ""),
    "rate": OverForm("rate", RateOver, "/h"),
    "difference": DifferenceForm(),
    "energy": EnergyForm(),
    "leq": LeqForm(),
    "aqi": AqiForm(),
    "forecast": ForecastForm(),
}


def read_derive(table: Any, zone: str, place: str) -> Derive:
    """Read derive = { FORM = ..., ... }: the key that names a form says which."""
    if isinstance(table, Mapping):
        forms = [key for key in table if key in FORMS]
        if len(forms) == 1:
            return FORMS[forms[0]].read(table, zone, place)
    raise ConfigError(f"{place}: {table!r} names no form", remedy=f"use one of {', '.join(FORMS)}")
