"""Grafana's alert rules, each judged on a real InfluxDB: normal, firing, hysteresis, keep firing, no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import servers
from alert_rig import Evaluator, RuleError, seconds

from dashboards.alerting.alert import Alert
from dashboards.alerting.files import Mode, alerts
from dashboards.alerting.said import Said, say
from dashboards.alerting.watchers import own_alerts
from edge.model.alert import Episode
from edge.model.kinds import KINDS
from edge.model.node import Node, NodeId
from edge.model.quantities import QUANTITIES
from edge.protocol.series import encode_point
from edge.rules.load import load_rules, read_rules
from edge.rules.rule import Rule
from edge.rules.watch import Watch

BEGIN_S = 1_700_000_039  # just before a full minute
STAGE_M = 3.3
SAID = {one.rule.name: one for one in say(load_rules())}
PAIRS = {
    alert.uid: (one.rule, alert)
    for one in SAID.values()
    for alert in one.alerts
    if alert.rule != "gateway_lost"
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.InfluxDB]:
    """One InfluxDB for all rules: each has a database of its own."""
    found = servers.InfluxDB(tmp_path_factory.mktemp("influxdb"))
    try:
        found.start()
        yield found
    finally:
        found.kill()


def point(measurement: str, node: str, at_s: float, **fields: float) -> str:
    return encode_point(measurement, {"node": node, "district": "杨浦"}, fields, round(at_s * 1e9))


@dataclass(slots=True)
class Stretch:
    """A rule at one node, and the writing of such readings that its query sees a given number."""

    rule: Rule
    alert: Alert
    store: servers.InfluxDB
    grafana: Evaluator
    now_s: int = BEGIN_S

    @classmethod
    def of(cls, rule: Rule, alert: Alert, store: servers.InfluxDB) -> Stretch:
        database(store, alert.uid)
        return cls(rule, alert, store, Evaluator(alert.to_dict(), alert.interval_s, store, db=alert.uid))

    @property
    def step_s(self) -> int:
        """So long that no reading is seen twice; whole minutes."""
        return -(-(self.alert.ask.window_s + 60) // 60) * 60

    def judged(self, value: float, after_s: int | None = None, node: str = "n-1") -> str:
        """Let time pass, write what makes the query say `value`, evaluate; return the node's state."""
        self.now_s += self.step_s if after_s is None else after_s
        self.store.write("\n".join(self.lines(value, node)), db=self.alert.uid)
        return self.grafana.at(self.now_s).get("n-1", "gone")

    def lines(self, value: float, node: str) -> list[str]:
        rule, at_s = self.rule, self.now_s
        form = rule.derive.form if rule.derive is not None else ""
        window_s = self.alert.ask.window_s
        if rule.quantity == "silence_s":
            pattern = self.alert.ask.text.partition("/^(")[2].partition(")")[0].split("|")[0]
            tags = {"node": node, "district": "杨浦", "kind": pattern}
            return [encode_point("node_status", tags, {"age_s": value}, at_s * 10**9)]
        kind = next(name for name in KINDS if f'"{name}"' in self.alert.ask.text)
        if form == "rate":
            beats = range(at_s - window_s - 59, at_s + 1, 10)
            return [point(kind, node, at, **{rule.quantity: value / 3600 * (at - beats[0])}) for at in beats]
        if form in ("mean", "sum"):
            share = value if form == "mean" else value * 60 / window_s
            beats = range(at_s - window_s + 60, at_s + 1, 60)
            return [point(kind, node, at, **{rule.quantity: share}) for at in beats]
        fields = {rule.quantity: value}
        if form == "difference":
            assert rule.derive is not None
            fields = {rule.quantity: 5 + value, rule.derive.other: 5.0}
        if rule.given is not None:
            fields[rule.given.quantity] = rule.given.low
        if self.alert.limit is None:
            return [point(kind, node, at_s, **fields)]
        limit = {rule.steps[0].enter.name: 0.0, self.limit_name: STAGE_M}
        fields = {rule.quantity: value + self.alert.limit_factor * STAGE_M}
        return [point(kind, node, at_s, **fields), point("node_status", node, at_s, **limit)]

    @property
    def limit_name(self) -> str:
        return next(step.enter.name for step in self.rule.steps if step.level is self.alert.level)

    @property
    def beyond(self) -> float:
        """A value on the good side of `leave`, near it."""
        enter, leave = self.alert.enter, self.alert.leave
        return leave - self.sign * min(abs(enter - leave) or 1, abs(leave) or 1) / 2

    @property
    def sign(self) -> int:
        return -1 if self.alert.below else 1

    def at(self, limit: float) -> float:
        """A limit as data can show it: sums of many numbers miss it by a hair."""
        exact = self.rule.derive is None and self.alert.limit is None
        return limit if exact else limit + self.sign * 1e-6


def database(store: servers.InfluxDB, name: str) -> None:
    store.query("", f'CREATE DATABASE "{name}"')


def fire(play: Stretch) -> str:
    """Bring a rule at rest to fire: its limit reached, for as long as it asks for."""
    value, for_s = play.at(play.alert.enter), play.alert.for_ms // 1000
    state = play.judged(value)
    if not for_s:
        return state
    assert state == "Pending"
    assert play.judged(value, for_s - 1) == "Pending"
    return play.judged(value, 1)


@pytest.mark.real
@pytest.mark.parametrize("uid", PAIRS)
def test_a_rule_fires_holds_ends_and_keeps_what_it_had_where_data_stays_away(
    uid: str, store: servers.InfluxDB
) -> None:
    rule, alert = PAIRS[uid]
    play, keep_s = Stretch.of(rule, alert, store), alert.keep_ms // 1000
    assert play.judged(play.beyond) == "Normal"
    assert fire(play) == "Alerting"
    assert play.judged(play.at(alert.leave)) == "Alerting"
    assert play.judged((alert.enter + play.at(alert.leave)) / 2) == "Alerting"
    assert play.judged(play.beyond) == ("Recovering" if keep_s else "Normal")
    if keep_s:
        assert play.judged(play.at(alert.enter)) == "Alerting"
        assert play.judged(play.beyond) == "Recovering"
        if keep_s > play.step_s:
            assert play.judged(play.beyond, keep_s - 60) == "Recovering"
        assert play.judged(play.beyond, max(keep_s, play.step_s)) == "Normal"
    assert fire(play) == "Alerting"
    play.now_s += 2 * play.step_s
    assert play.grafana.at(play.now_s) == {"n-1": "Alerting"}  # nobody reports: it keeps what it had
    assert play.judged(play.beyond, node="n-2") == "gone"  # others do: which is why the dead node has a rule


@pytest.mark.real
def test_a_rule_waits_until_its_limit_has_held_without_a_break(store: servers.InfluxDB) -> None:
    play = Stretch.of(*PAIRS["cn-dust-blue"], store)
    limits = play.alert.enter, play.beyond
    play.alert = PAIRS["cn-dust-blue"][1]
    assert play.judged(limits[0]) == "Pending"
    assert play.judged(limits[1], 60) == "Normal"
    assert play.judged(limits[0], 60) == "Pending"
    assert play.judged(limits[0], 299) == "Pending"
    assert play.judged(limits[0], 1) == "Alerting"


@pytest.mark.real
def test_values_that_failed_are_not_seen_and_what_is_not_given_is_not_judged(store: servers.InfluxDB) -> None:
    database(store, "parts")
    dust = Evaluator(PAIRS["cn-dust-blue"][1].to_dict(), 60, store, db="parts")
    lamp = Evaluator(PAIRS["cn-lamp_out-blue"][1].to_dict(), 60, store, db="parts")
    store.write(
        "\n".join(
            [
                point("air_quality", "n-1", BEGIN_S - 60, pm10_ug_m3=30.0),
                point("air_quality", "n-1", BEGIN_S, pm10_ug_m3_rejected=2000.0, pm10_ug_m3_qc=4),
                point("streetlight", "n-1", BEGIN_S, power_w=0.0, lamp_on=0.0),
                point("streetlight", "n-2", BEGIN_S, power_w=0.0, lamp_on=1.0),
            ]
        ),
        db="parts",
    )
    assert dust.at(BEGIN_S) == {"n-1": "Normal"}
    assert lamp.at(BEGIN_S) == {"n-2": "Pending"}


@pytest.mark.real
def test_a_station_without_a_stage_has_no_flood_and_each_has_its_own(store: servers.InfluxDB) -> None:
    database(store, "stages")
    flood = Evaluator(PAIRS["cn-flood-yellow"][1].to_dict(), 60, store, db="stages")
    lines = [point("water_level", f"wl-{number}", BEGIN_S, level_m=3.0) for number in (1, 2, 3)]
    lines += [point("node_status", f"wl-{n}", BEGIN_S, age_s=9.0, warning_m=m) for n, m in ((1, 2.9), (2, 3.3))]
    store.write("\n".join([*lines, point("node_status", "wl-3", BEGIN_S, age_s=9.0)]), db="stages")
    assert flood.at(BEGIN_S) == {"wl-1": "Pending", "wl-2": "Normal"}


@pytest.mark.real
@pytest.mark.parametrize("phase_s", range(0, 30, 10))
def test_a_gateway_is_lost_when_its_heartbeats_stop_and_never_between_two(
    phase_s: int, store: servers.InfluxDB
) -> None:
    (alert,) = SAID["gateway_lost"].alerts
    name, begin_s = f"gateway_{phase_s}", BEGIN_S + 1 + phase_s
    database(store, name)
    beats = [point("gateway", "gw-1", begin_s + t, queue_readings=0.0) for t in range(-3600, 0, 10)]
    others = [point("gateway", "gw-2", begin_s + t, queue_readings=0.0) for t in range(-3600, 24_000, 10)]
    store.write("\n".join([*beats, *others]), db=name)
    grafana = Evaluator(alert.to_dict(), alert.interval_s, store, db=name)
    for at_s in range(begin_s - 600, begin_s, 30):
        states = grafana.at(at_s)
        assert all(state in ("Normal", "Pending") for state in states.values())
    assert grafana.through(*range(begin_s, begin_s + 181, 30)) == {"gw-1": "Alerting", "gw-2": "Normal"}
    assert grafana.at(begin_s + 21_000)["gw-1"] == "Alerting"  # it stays known for hours
    store.write(point("gateway", "gw-1", begin_s + 21_010, queue_readings=0.0), db=name)
    assert grafana.at(begin_s + 21_020)["gw-1"] == "Normal"


@pytest.mark.real
@pytest.mark.parametrize("number", range(len(own_alerts())))
def test_silence_of_everything_is_an_alarm_and_so_is_a_store_that_does_not_answer(
    number: int, store: servers.InfluxDB
) -> None:
    alert = own_alerts()[number]
    database(store, alert.uid)
    grafana = Evaluator(alert.to_dict(), 60, store, db=alert.uid)
    store.write(point("gateway", "gw-1", BEGIN_S, queue_readings=1.0), db=alert.uid)
    store.write(point("node_status", "wl-1", BEGIN_S, state=0), db=alert.uid)
    assert set(grafana.through(BEGIN_S, BEGIN_S + 240).values()) == {"Normal"}
    assert set(grafana.at(BEGIN_S + 360).values()) == {"Pending"}
    assert set(grafana.at(BEGIN_S + 420).values()) == {"Alerting"}


@pytest.mark.real
def test_where_the_store_does_not_answer_only_the_watchers_of_silence_alarm(
    influxdb: servers.InfluxDB,
) -> None:
    (silent, _), flood = own_alerts(), PAIRS["cn-dust-blue"][1]
    influxdb.write(point("gateway", "gw-1", BEGIN_S, queue_readings=1.0))
    influxdb.write(point("air_quality", "n-1", BEGIN_S, pm10_ug_m3=20.0))
    one, other = (Evaluator(alert.to_dict(), 60, influxdb) for alert in (silent, flood))
    assert (one.at(BEGIN_S), other.at(BEGIN_S)) == ({"": "Normal"}, {"n-1": "Normal"})
    influxdb.kill()
    assert one.through(BEGIN_S + 60, BEGIN_S + 120) == {"": "Alerting"}
    assert other.through(BEGIN_S + 60, BEGIN_S + 120) == {"n-1": "Normal"}


LIKE_A_GATEWAY = sorted(
    one.rule.name
    for one in SAID.values()
    if one.alerts
    and one.rule.derive is None
    and len(one.alerts) == len(one.rule.steps)
    and not one.rule.schedule
    and one.rule.quantity in QUANTITIES
    and one.rule.for_ms + one.rule.keep_ms <= 90 * 60_000
)
"""Rules over plain values that an hour or two of minutes can show."""


@pytest.mark.real
@pytest.mark.parametrize("name", LIKE_A_GATEWAY)
def test_grafana_fires_and_ends_when_a_gateway_would(name: str, store: servers.InfluxDB) -> None:
    rule, alert = SAID[name].rule, SAID[name].alerts[-1]
    play = Stretch.of(rule, alert, store)
    database(store, f"{name}-like")
    play.grafana.db = f"{name}-like"
    period_s = max(60, round(KINDS[rule.kinds[0]].period_s))
    times = [BEGIN_S + minute * 60 for minute in range(-(-(rule.for_ms + rule.keep_ms) // 60_000) + 75)]
    begin_s, end_s = times[15], times[15] + rule.for_ms // 1000 + 1500
    calm = min((one for one in SAID[name].alerts), key=lambda one: one.level)
    values = {
        t: play.at(alert.enter) if begin_s <= t < end_s else replace(play, alert=calm).beyond for t in times
    }
    lines, watch = [], watched(rule)
    episode: Episode | None = None
    for t, value in values.items():
        if (t - BEGIN_S) % period_s:
            continue
        play.now_s = t
        lines += play.lines(value, "n-1")
        fields = watch_values(rule, value, alert)
        for found in watch.take(
            t * 1000, [fields.get(q) for q in watch.quantities], [1] * len(watch.quantities)
        ):
            episode = found
    store.write("\n".join(lines), db=f"{name}-like")
    fired = [t for t in times if play.grafana.at(t).get("n-1") in ("Alerting", "Recovering")]
    assert episode is not None
    assert episode.end_ms is not None
    assert episode.highest is alert.level
    assert abs(fired[0] - (episode.start_ms + rule.for_ms) / 1000) <= period_s
    assert abs(fired[-1] + 60 - episode.end_ms / 1000) <= period_s
    assert len(fired) == (fired[-1] - fired[0]) // 60 + 1  # without a break


def watched(rule: Rule) -> Watch:
    """A gateway's own judge of the rule, at a node with the same stages as in the store."""
    kind = KINDS[rule.kinds[0]]
    stages = {step.enter.name: STAGE_M for step in rule.steps[-1:] if step.enter.name.endswith("_m")}
    node = Node(
        id=NodeId("n-1"), kind=kind.name, label_en="n", label_zh="n", site="s", district="d", stages=stages
    )
    return Watch(node, kind.quantities, [rule])


def watch_values(rule: Rule, value: float, alert: Alert) -> dict[str, float]:
    """The quantities of a reading whose watched number is `value`."""
    given = {} if rule.given is None else {rule.given.quantity: rule.given.low}
    return {**given, rule.quantity: value if alert.limit is None else value + STAGE_M}


def test_every_rule_is_said_or_has_a_reason_in_both_languages() -> None:
    for one in SAID.values():
        assert bool(one.alerts) is not bool(one.why_not_en and one.why_not_zh), one.rule.name
    assert {alert.rule for alert in alerts(Mode.WATCHERS)} == {
        "pipeline_silent", "cloud_silent", "gateway_lost", "node_silent", "backlog_old", "quarantine_grows",
        "readings_dropped", "readings_unaccounted",
    }  # fmt: skip


def test_an_alert_has_the_numbers_of_its_rule() -> None:
    rule, (blue, yellow, _) = SAID["oxygen_low"].rule, SAID["oxygen_low"].alerts
    condition = blue.to_dict()["data"][-1]["model"]["conditions"][0]
    assert condition["evaluator"] == {"type": "lte", "params": [4.99]}
    assert condition["unloadEvaluator"] == {"type": "gt", "params": [5.5]}
    assert seconds(blue.to_dict()["for"]) * 1000 == rule.for_ms
    assert seconds(yellow.to_dict()["keepFiringFor"]) * 1000 == rule.keep_ms
    silent = {alert.variant: alert.enter for alert in SAID["node_silent"].alerts if alert.level == 1}
    assert silent == {"60s": 600, "300s": 3000, "600s": 6000, "900s": 9000, "3600s": 36_000}


def said(text: str) -> Said:
    (one,) = say(read_rules(text))
    return one


BASE = '[rule.r]\nkinds = ["weather"]\nquantity = "temperature_c"\nlevels.blue = 30\n'


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('schedule = { from = "22:00", until = "06:00", days = ["mon"] }', "days of the week"),
        ('schedule = { from = "22:00", until = "06:00" }\nkeep_firing = "1h"', "keep firing"),
        ('derive = { rate = "1h" }', "median of slopes"),
        ('derive = { difference = "w-2/temperature_c" }', "compares two nodes"),
    ],
)
def test_a_rule_of_ones_own_that_cannot_be_said_has_its_reason(more: str, why: str) -> None:
    one = said(BASE + more)
    assert not one.alerts
    assert why in one.why_not_en


def test_a_rule_of_ones_own_may_name_nodes_what_is_no_data_and_have_a_long_name() -> None:
    one = said(
        '[rule.a_name_of_a_rule_that_is_rather_long_for_grafana]\nnodes = ["w-1*", "w-07"]\nno_data = "alarm"\n'
        'quantity = "temperature_c"\nlevels.blue = 30\nlabel = { en = "Cost in $ {{ x }}", zh = "热" }\n'
    )
    rules = [alert.to_dict() for alert in one.alerts]
    assert all(len(rule["uid"]) <= 40 for rule in rules)
    assert rules[0]["noDataState"] == "Alerting"
    assert '"node" =~ /^(w-1.*|w-07)$/' in rules[0]["data"][0]["model"]["query"]
    assert rules[0]["title"].startswith("热 Cost in $$ { x }")


@pytest.mark.real
@pytest.mark.parametrize(("values", "mean_db"), [((40.0, 80.0), 76.99), ((3.0, 3.0), 3.0)])
def test_a_mean_of_decibels_is_one_of_energies_and_loses_no_fraction(
    values: tuple[float, float], mean_db: float, store: servers.InfluxDB
) -> None:
    database(store, f"noise_{mean_db}")
    lines = [point("noise", "n-1", BEGIN_S - 60 * n, noise_laeq_db=value) for n, value in enumerate(values)]
    store.write("\n".join(lines), db=f"noise_{mean_db}")
    for limit, state in ((mean_db - 0.01, "Alerting"), (mean_db + 0.01, "Normal")):
        (alert,) = said(
            '[rule.loud]\nkinds = ["noise"]\nquantity = "noise_laeq_db"\nderive = { mean = "1h" }\n'
            f"levels.blue = {limit:.3f}\n"
        ).alerts
        grafana = Evaluator(alert.to_dict(), 60, store, db=f"noise_{mean_db}")
        assert grafana.at(BEGIN_S) == {"n-1": state}


@pytest.mark.real
def test_the_evaluator_refuses_what_grafana_refuses(store: servers.InfluxDB) -> None:
    good = PAIRS["cn-dust-blue"][1].to_dict()

    def refused(change: Any) -> None:
        rule = PAIRS["cn-dust-blue"][1].to_dict()
        change(rule["data"])
        with pytest.raises(RuleError):
            Evaluator(rule, 60, store, db="refused").at(BEGIN_S)

    database(store, "refused")
    store.write(point("air_quality", "n-1", BEGIN_S, pm10_ug_m3=20.0), db="refused")
    assert Evaluator(good, 60, store, db="refused").at(BEGIN_S) == {"n-1": "Normal"}
    refused(lambda data: data[0]["model"].update(query=data[0]["model"]["query"] + " AND $district"))
    refused(lambda data: data[0]["model"].update(query="SELECT nonsense"))
    refused(lambda data: data[1]["model"].update(reducer="mean"))
    refused(lambda data: data[2]["model"].update(conditions=data[2]["model"]["conditions"] * 2))
    refused(lambda data: data[2]["model"]["conditions"][0]["evaluator"].update(type="above"))
