"""From a node's own words to the stages that it passed, and the one at which it stands. Pure: takes `now`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.recognise import SURE, of_node
from edge.field.stages import Stage
from edge.field.status import NodeStatus
from edge.model.quantities import QUANTITIES
from edge.model.units import UNITS

WATCHED = (Stage.NETWORK, Stage.CLOCK, Stage.BROKER, Stage.BIRTH, Stage.SAMPLE, Stage.STORED)
PATIENCE_S: Mapping[Stage, float] = {
    Stage.REBOOT: 50.0,  # a node that fell starts again after 30 s, and says why
    Stage.NETWORK: 45.0,  # two attempts of 20 s
    Stage.CLOCK: 30.0,
    Stage.BROKER: 40.0,
    Stage.BIRTH: 20.0,
    Stage.SAMPLE: 60.0,  # particle sensors spin up for 30 s
    Stage.STORED: 45.0,
}
_REACHED = ("network", "clock", "broker", "birth", "sample", "acked")
_ABOUT = {
    Stage.NETWORK: "{0.net}",
    Stage.CLOCK: "asking for the time",
    Stage.BROKER: "connecting",
    Stage.BIRTH: "saying what it is",
    Stage.SAMPLE: "sensing",
    Stage.STORED: "{0.produced} taken, waiting for an acknowledgement",
}
_GENERIC = {
    Stage.NETWORK: Symptom.NO_WIFI,
    Stage.CLOCK: Symptom.NO_TIME,
    Stage.BROKER: Symptom.BROKER_AWAY,
    Stage.BIRTH: Symptom.ACCESS_LIST,
    Stage.SAMPLE: Symptom.NO_SAMPLE,
    Stage.STORED: Symptom.GATEWAY_SILENT,
}


class Watch:
    """Which stage a node is at. `facts` fill the texts of diagnoses: ssid, broker, hosts, node, port...

    `patience_s` says how long each stage may take; a sampling period longer than that is waited for.
    """

    def __init__(
        self,
        now_s: float,
        *,
        facts: Mapping[str, object],
        patience_s: Mapping[Stage, float] = PATIENCE_S,
    ) -> None:
        self._facts: dict[str, Any] = dict(facts)
        self._patience_s = patience_s
        self._at = 0
        self._since_s = now_s
        self._status: NodeStatus | None = None
        self._seen = 0
        self._sure: Symptom | None = None

    @property
    def stage(self) -> Stage | None:
        """The stage that is not yet passed; None when the node has done its part."""
        return WATCHED[self._at] if self._at < len(WATCHED) else None

    @property
    def status(self) -> NodeStatus | None:
        """What the node said last."""
        return self._status

    def take(self, status: NodeStatus, now_s: float) -> list[Stage]:
        """Take what the node says; return the stages that it passed by that, in order."""
        self._status = status
        passed: list[Stage] = []
        while (stage := self.stage) is not None and _passed(stage, status):
            passed.append(stage)
            self._at, self._since_s, self._seen, self._sure = self._at + 1, now_s, 0, None
        return passed

    def trouble(self, now_s: float) -> FieldError | None:
        """Return why the present stage fails: at once if waiting cannot mend it, else when patience ends."""
        stage = self.stage
        if stage is None or self._status is None:
            return None
        implausible = _implausible(self._status, self._facts) if stage in (Stage.SAMPLE, Stage.STORED) else None
        found = implausible or of_node(self._status, stage, **self._facts)
        if found is not None and (found.symptom in SURE or found is implausible):
            self._seen = self._seen + 1 if self._sure is found.symptom else 1
            self._sure = found.symptom
            if self._seen >= 2:
                return found
        if now_s - self._since_s < self._patience_s[stage]:
            return None
        return found or self._silent(stage)

    def doing(self, stage: Stage) -> str:
        """Return what the node is about at a stage, or what keeps it."""
        if self._status is None:
            return ""
        error = of_node(self._status, stage, **self._facts)
        return error.cause if error is not None else _ABOUT[stage].format(self._status)

    def _silent(self, stage: Stage) -> FieldError:
        assert self._status is not None
        if stage is Stage.SAMPLE:
            for sensor in self._status.sensors:
                if not sensor.ok:
                    return diagnose(
                        Symptom.SENSOR_SILENT,
                        **self._facts,
                        sensor=sensor.name,
                        said=sensor.error or "no answer",
                    )
        return diagnose(_GENERIC[stage], **self._facts, waited=round(self._patience_s[stage]))


def detail_of(stage: Stage, status: NodeStatus) -> str:
    """Return in a few words what is known of a stage that was passed."""
    if stage is Stage.NETWORK:
        return "up" if status.rssi_dbm is None else f"{status.rssi_dbm} dBm, {signal(status.rssi_dbm)}"
    if stage is Stage.CLOCK:
        return status.clock
    if stage is Stage.BROKER:
        return "logged in"
    if stage is Stage.BIRTH:
        return f"firmware {status.version}" if status.version else ""
    if stage is Stage.SAMPLE:
        return values_of(status)
    if stage is Stage.STORED and status.acknowledged is not None:
        return f"{status.acknowledged} acknowledged"
    return ""


def signal(rssi_dbm: int) -> str:
    """Return what a signal strength means for a sensor that sends little."""
    for limit, word in ((-60, "strong"), (-70, "good"), (-80, "weak")):
        if rssi_dbm >= limit:
            return word
    return "very weak"


def values_of(status: NodeStatus) -> str:
    """Return the values of a node's last reading, as a line."""
    return "  ".join(f"{name} {value}" for sensor in status.sensors for name, value in sensor.values.items())


def _passed(stage: Stage, status: NodeStatus) -> bool:
    reached = _REACHED.index(status.stage) if status.stage in _REACHED else -1
    if stage is Stage.NETWORK:
        return (status.net in ("up", "") and reached > 0) or status.net == "up"
    if stage is Stage.CLOCK:
        return status.clock != "unknown"
    if stage is Stage.BROKER:
        return status.broker == "up" or reached >= _REACHED.index("birth")
    if stage is Stage.BIRTH:
        return reached > _REACHED.index("birth")
    if stage is Stage.SAMPLE:
        return bool(status.produced) and all(sensor.ok for sensor in status.sensors)
    return bool(status.acknowledged)


def _implausible(status: NodeStatus, facts: Mapping[str, Any]) -> FieldError | None:
    for sensor in status.sensors:
        for name, text in sensor.values.items():
            row = QUANTITIES.get(name)
            try:
                value = float(text)
            except ValueError:
                continue
            if row is not None and not row.low <= value <= row.high:
                limits = f" ({row.low:g} to {row.high:g} {UNITS[row.unit].display})"
                return diagnose(Symptom.IMPLAUSIBLE, **facts, quantity=name, value=text, limits=limits)
    return None
