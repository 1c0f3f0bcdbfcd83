"""Firmware: the depot of bundles, and the roll-outs that bring them to nodes ring by ring."""

from aiohttp import web

from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import Schema, array, integer, obj, text
from cloud.api.shapes import KIND_PARAM, NODE_ID, STEP, TIME_MS, WHO
from cloud.errors import InvalidRequest
from cloud.ota.bundle import MOST_BYTES
from cloud.ota.plan import Course, Turn
from cloud.ota.rollouts import Wish

_DIGEST = text(max_length=64, min_length=64, pattern=r"^[0-9a-f]{64}$")
_VERSION = text(min_length=1, max_length=32, pattern=r"^[!-~]{1,32}$")
_ID = integer(1, 2**31 - 1)
_ROLLOUT_PATH = Param(name="id", about="The roll-out's number.", schema=_ID, where="path", required=True)
_BUNDLE: dict[str, Schema] = {
    "version": {"type": "string"},
    "board": {"type": "string"},
    "digest": _DIGEST,
    "size": {"type": "integer"},
}
_COUNTS = obj({turn.value: {"type": "integer"} for turn in Turn})
_ROLLOUT: dict[str, Schema] = {
    "id": {"type": "integer"},
    **_BUNDLE,
    "force": {"type": "boolean"},
    "rings": array({"type": "integer"}),
    "ring": {"type": "integer"},
    "who": {"type": "string"},
    "made_ms": TIME_MS,
    "state": {"type": "string", "enum": [course.value for course in Course]},
    "why": {"type": "string"},
    "total": {"type": "integer"},
    "counts": _COUNTS,
}
_MEMBER = obj(
    {
        "node": {"type": "string"},
        "ring": {"type": "integer"},
        "state": {"type": "string", "enum": [turn.value for turn in Turn]},
        "why": {"type": "string"},
    }
)
_ROLLOUT_OUT = obj({**_ROLLOUT, "nodes": array(_MEMBER), "steps": array(STEP)})


async def upload(call: Call) -> web.Response:
    """Keep a bundle."""
    content = await call.request.read()
    if len(content) > MOST_BYTES:
        raise web.HTTPRequestEntityTooLarge(MOST_BYTES, len(content))
    bundle = await call.services.depot.add(content)
    return json_answer(
        {"version": bundle.version, "board": bundle.board, "digest": bundle.digest, "size": bundle.size}
    )


async def list_firmware(call: Call) -> web.Response:
    """Answer with what lies in the depot."""
    return json_answer({"firmware": await call.services.depot.all()})


async def download(call: Call) -> web.StreamResponse:
    """Answer with the bytes of a bundle, or those of them that are asked for."""
    path = await call.services.depot.path(call.params["digest"])
    return web.FileResponse(
        path,
        headers={
            "Content-Type": "application/octet-stream",
            "Cache-Control": "public, max-age=31536000, immutable",
        },
    )


async def start(call: Call) -> web.Response:
    """Begin a roll-out."""
    said = call.body
    rings = tuple(int(ring) for ring in said.get("rings", (1, 10, 100)))
    if list(rings) != sorted(set(rings)) or rings[-1:] != (100,):
        raise InvalidRequest("body.rings do not grow to 100", remedy="write them like [1, 10, 100]")
    config = call.services.provision
    wish = Wish(
        version=said["version"],
        board=said["board"],
        nodes=frozenset(said.get("nodes", ())),
        kind=said.get("kind"),
        district=said.get("district"),
        force=said.get("force", False),
        rings=rings,
        who=said["who"],
        origin=(config.url or str(call.request.url.origin())).rstrip("/"),
    )
    return json_answer(await call.services.rollouts.start(wish))


async def list_rollouts(call: Call) -> web.Response:
    """Answer with the roll-outs."""
    return json_answer({"rollouts": await call.services.rollouts.all()})


async def one_rollout(call: Call) -> web.Response:
    """Answer with a roll-out and its nodes."""
    return json_answer(await call.services.rollouts.one(call.params["id"]))


async def stop(call: Call) -> web.Response:
    """Stop a roll-out."""
    return json_answer(await call.services.rollouts.stop(call.params["id"], call.body["who"]))


async def resume(call: Call) -> web.Response:
    """Let a roll-out go on."""
    return json_answer(await call.services.rollouts.resume(call.params["id"], call.body["who"]))


ROUTES = (
    Route(
        method="POST", path="/api/v1/firmware", handler=upload, bytes_body="a signed bundle", secured=True,
        summary="Keep a bundle of firmware; the same again changes nothing", errors=(400, 409, 413, 503),
        answer=obj(_BUNDLE),
    ),
    Route(
        method="GET", path="/api/v1/firmware", handler=list_firmware, summary="The bundles in the depot",
        answer=obj(
            {"firmware": array(obj({**_BUNDLE, "made_ms": TIME_MS, "verified": {"type": "boolean"}}))}
        ),
    ),
    Route(
        method="GET", path="/firmware/{digest}", handler=download, media="application/octet-stream",
        summary="The bytes of a bundle, as nodes fetch them (Range); no token: it is signed",
        params=(Param(name="digest", about="Its SHA-256.", schema=_DIGEST, where="path", required=True),),
        errors=(206, 304, 400, 404, 416),
    ),
    Route(
        method="POST", path="/api/v1/rollouts", handler=start, secured=True, errors=(400, 404, 409, 413),
        summary="Roll a version out, ring by ring",
        body=obj(
            {"version": _VERSION, "board": _VERSION, "who": WHO},
            {
                "nodes": array(NODE_ID, max_items=20_000),
                "kind": KIND_PARAM.schema,
                "district": text(max_length=128),
                "force": {"type": "boolean"},
                "rings": {**array(integer(1, 100), max_items=10), "minItems": 1},
            },
        ),
        answer=_ROLLOUT_OUT,
    ),
    Route(
        method="GET", path="/api/v1/rollouts", handler=list_rollouts, summary="Roll-outs, the newest first",
        answer=obj({"rollouts": array(obj(_ROLLOUT))}),
    ),
    Route(
        method="GET", path="/api/v1/rollouts/{id}", handler=one_rollout, summary="A roll-out and its nodes",
        params=(_ROLLOUT_PATH,), errors=(400, 404), answer=_ROLLOUT_OUT,
    ),
    *(
        Route(
            method="POST", path=f"/api/v1/rollouts/{{id}}/{name}", handler=handler, summary=about,
            params=(_ROLLOUT_PATH,), body=obj({"who": WHO}), secured=True, errors=(400, 404, 409, 413),
            answer=_ROLLOUT_OUT,
        )
        for name, handler, about in (
            ("stop", stop, "Stop a roll-out: nobody else is told"),
            ("resume", resume, "Let a stopped roll-out go on; what went wrong has another try"),
        )
    ),
)  # fmt: skip
