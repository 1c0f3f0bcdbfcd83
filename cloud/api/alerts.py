"""Alerts: what happens now, what happened, what people did about it, and when nobody is to be told."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from cloud.alerts import life
from cloud.alerts.alert import Alert
from cloud.alerts.maintenance import Window
from cloud.alerts.records import Search
from cloud.api.routing import TIME_PATTERN, Call, Handler, Param, Route, json_answer
from cloud.api.schema import Schema, array, check, integer, obj, text
from cloud.api.shapes import ALERT, ALERT_WITH_STEPS, EPISODE, GATEWAY_ID, LEVEL, NODE_PARAM, RULE, TIME_MS, WHO
from cloud.errors import InvalidRequest
from edge.model.alert import Episode, EpisodeError, Level

EPISODES_AT_ONCE = 5_000
MOST_MINUTES = 525_600
_STATES = {"open": True, "ended": False, "all": None}
_TEXT = text(max_length=2_000)
_ID = integer(1, 2**31 - 1)
_ALERT_PARAM = Param(name="id", about="The alert's number.", schema=_ID, where="path", required=True)
_WINDOW = {
    "from_ms": TIME_MS,
    "until_ms": TIME_MS,
    "nodes": array(text(max_length=32), max_items=1_000),
    "district": text(max_length=128),
    "rule": text(max_length=64),
    "text": _TEXT,
    "who": WHO,
}
_WINDOW_OUT = obj({"id": {"type": "integer"}, **_WINDOW})
_OPTIONAL = ("nodes", "district", "rule", "text")
_WINDOW_IN = obj(
    {name: schema for name, schema in _WINDOW.items() if name not in _OPTIONAL},
    {name: _WINDOW[name] for name in _OPTIONAL},
)


async def take_episodes(call: Call) -> web.Response:
    """Take a gateway's episodes. One that is none is refused by itself; the others are taken."""
    good: list[Episode] = []
    refused: list[dict[str, object]] = []
    for index, row in enumerate(call.body["episodes"]):
        try:
            good.append(_episode(row, call.params["id"]))
        except (InvalidRequest, EpisodeError) as error:
            refused.append({"index": index, "error": str(error)})
    call.services.alerts.heard(call.params["id"])
    await call.services.alerts.take(good)
    return json_answer({"taken": len(good), "refused": refused})


def _episode(row: dict[str, Any], gateway: str) -> Episode:
    check(row, EPISODE, "episode")
    return Episode.from_dict({**row, "gateway": row.get("gateway") or gateway})


async def list_alerts(call: Call) -> web.Response:
    """Answer with alerts, and with how many stand open."""
    asked = call.params
    search = Search(
        lasting=_STATES[asked["state"] or "open"],
        level=Level.of(asked["level"]) if asked["level"] else None,
        node=asked["node"],
        rule=asked["rule"],
        cause=asked["cause"],
        lasting_ms=asked["since"],
        limit=asked["limit"] or 200,
    )
    desk = call.services.alerts
    return json_answer({"alerts": await desk.search(search), "counts": desk.counts()})


async def one_alert(call: Call) -> web.Response:
    """Answer with one alert and its audit."""
    return json_answer(await call.services.alerts.one(call.params["id"]))


def _acting(change: Callable[[Alert, dict[str, Any], int], life.Lived]) -> Handler:
    """Return a handler that does this to the alert that the path names."""

    async def handler(call: Call) -> web.Response:
        return json_answer(
            await call.services.alerts.act(
                call.params["id"], lambda alert, now_ms: change(alert, call.body, now_ms)
            )
        )

    return handler


def _acknowledge(alert: Alert, said: dict[str, Any], now_ms: int) -> life.Lived:
    return life.acknowledge(alert, said["who"], said.get("text", ""), now_ms)


def _assign(alert: Alert, said: dict[str, Any], now_ms: int) -> life.Lived:
    return life.assign(alert, said["who"], said["to"], said.get("text", ""), now_ms)


def _comment(alert: Alert, said: dict[str, Any], now_ms: int) -> life.Lived:
    return life.comment(alert, said["who"], said["text"], now_ms)


def _mute(alert: Alert, said: dict[str, Any], now_ms: int) -> life.Lived:
    return life.mute(alert, said["who"], int(said["minutes"]), said.get("text", ""), now_ms)


def _close(alert: Alert, said: dict[str, Any], now_ms: int) -> life.Lived:
    return life.close(alert, said["who"], said.get("text", ""), now_ms)


async def list_windows(call: Call) -> web.Response:
    """Answer with the maintenance windows that are or will be."""
    return json_answer({"windows": [window.to_dict() for window in call.services.alerts.windows()]})


async def add_window(call: Call) -> web.Response:
    """Keep a maintenance window."""
    said = call.body
    if said["from_ms"] >= said["until_ms"]:
        raise InvalidRequest("body.until_ms is not after from_ms", remedy="let the window end after it begins")
    if not (said.get("nodes") or said.get("district") or said.get("rule")):
        raise InvalidRequest("the window covers everything", remedy="name nodes, a district or a rule")
    window = Window(
        id=0,
        from_ms=int(said["from_ms"]),
        until_ms=int(said["until_ms"]),
        nodes=tuple(said.get("nodes", ())),
        district=said.get("district", ""),
        rule=said.get("rule", ""),
        text=said.get("text", ""),
        who=said["who"],
    )
    return json_answer((await call.services.alerts.add_window(window)).to_dict())


async def remove_window(call: Call) -> web.Response:
    """End a maintenance window now."""
    await call.services.alerts.remove_window(call.params["id"], call.params["who"])
    return json_answer({"removed": call.params["id"]})


def _action(
    name: str, change: Callable[[Alert, dict[str, Any], int], life.Lived], about: str, body: Schema
) -> Route:
    return Route(
        method="POST", path=f"/api/v1/alerts/{{id}}/{name}", handler=_acting(change), summary=about,
        params=(_ALERT_PARAM,), body=body, secured=True, errors=(400, 404, 413), answer=ALERT,
    )  # fmt: skip


_SAID = obj({"who": WHO}, {"text": _TEXT})
_FILTERS = (
    Param(
        name="state", about="open (the default): lasts, and nobody closed it; ended; or all.",
        schema={"type": "string", "enum": list(_STATES)},
    ),
    Param(name="level", about="This level and those above.", schema=LEVEL),
    NODE_PARAM,
    Param(name="rule", about="A rule's name.", schema=RULE),
    Param(name="cause", about="Only those folded under this alert.", schema=_ID),
    Param(
        name="since", about="Only what lasted then or later: epoch milliseconds or ISO-8601.",
        schema=text(max_length=40, pattern=TIME_PATTERN), time=True,
    ),
    Param(name="limit", about="The most alerts to return, 200 if left out.", schema=integer(1, 5_000)),
)  # fmt: skip
ROUTES = (
    Route(
        method="PUT", path="/api/v1/gateways/{id}/episodes", handler=take_episodes,
        summary="A gateway's episodes, as often as it likes: they merge",
        params=(Param(name="id", about="The gateway's id.", schema=GATEWAY_ID, where="path", required=True),),
        body=obj({"episodes": array({"type": "object"}, max_items=EPISODES_AT_ONCE)}), secured=True,
        errors=(400, 413),
        answer=obj(
            {
                "taken": {"type": "integer"},
                "refused": array(obj({"index": {"type": "integer"}, "error": {"type": "string"}})),
            }
        ),
    ),
    Route(
        method="GET", path="/api/v1/alerts", handler=list_alerts,
        summary="Alerts: open ones the worst first, others the newest first; and how many stand open",
        params=_FILTERS, errors=(400,),
        answer=obj({"alerts": array(ALERT), "counts": {"type": "object"}}),
    ),
    Route(
        method="GET", path="/api/v1/alerts/{id}", handler=one_alert, summary="One alert and its audit",
        params=(_ALERT_PARAM,), errors=(400, 404), answer=ALERT_WITH_STEPS,
    ),
    _action("acknowledge", _acknowledge, "Take note of an alert: it is not escalated any more", _SAID),
    _action(
        "assign", _assign, "Give an alert to somebody; an empty name takes it back",
        obj({"who": WHO, "to": text(max_length=64)}, {"text": _TEXT}),
    ),
    _action("comment", _comment, "Say something about an alert", obj({"who": WHO, "text": _TEXT})),
    _action(
        "mute", _mute, "No more messages for so many minutes, unless it rises; 0 ends it",
        obj({"who": WHO, "minutes": integer(0, MOST_MINUTES)}, {"text": _TEXT}),
    ),
    _action("close", _close, "Have done with an alert: no more messages, unless it rises", _SAID),
    Route(
        method="GET", path="/api/v1/maintenance", handler=list_windows,
        summary="Maintenance windows that are or will be", answer=obj({"windows": array(_WINDOW_OUT)}),
    ),
    Route(
        method="POST", path="/api/v1/maintenance", handler=add_window,
        summary="Tell nobody of some nodes, a district or a rule for a while", body=_WINDOW_IN, secured=True,
        errors=(400, 413), answer=_WINDOW_OUT,
    ),
    Route(
        method="DELETE", path="/api/v1/maintenance/{id}", handler=remove_window,
        summary="End a maintenance window now", secured=True, errors=(400, 404),
        params=(
            Param(name="id", about="The window's number.", schema=_ID, where="path", required=True),
            Param(name="who", about="Who ends it.", schema=WHO, required=True),
        ),
        answer=obj({"removed": {"type": "integer"}}),
    ),
)  # fmt: skip
