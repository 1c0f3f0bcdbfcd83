"""Commands to nodes: asked for here, carried by gateways, done once."""

from aiohttp import web

from cloud.api.nodes import registered
from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import array, integer, nullable, obj
from cloud.api.shapes import COMMAND_ID, NODE_ID, TIME_MS, WHO
from cloud.commands.command import State
from edge.protocol.command import NAMES

DEFAULT_EXPIRY_S = 3_600
_NODE_PATH = Param(name="id", about="The node's id.", schema=NODE_ID, where="path", required=True)
COMMAND = obj(
    {
        "id": {"type": "integer"},
        "node": {"type": "string"},
        "name": {"type": "string"},
        "args": {"type": "object"},
        "who": {"type": "string"},
        "made_ms": TIME_MS,
        "expires_ms": TIME_MS,
        "state": {"type": "string", "enum": [state.value for state in State]},
        "detail": {},
        "replied_ms": nullable(TIME_MS),
    }
)


async def ask(call: Call) -> web.Response:
    """Queue a command for a node."""
    said = call.body
    command = await call.services.commands.ask(
        call.params["id"],
        said["name"],
        said.get("args", {}),
        expires_s=int(said.get("expires_s", DEFAULT_EXPIRY_S)),
        who=said["who"],
    )
    return json_answer(command.to_dict())


async def of_node(call: Call) -> web.Response:
    """Answer with a node's newest commands."""
    node = await registered(call, call.params["id"])
    found = await call.services.commands.of_node(node.id)
    return json_answer({"commands": [command.to_dict() for command in found]})


async def one(call: Call) -> web.Response:
    """Answer with a command and what became of it."""
    return json_answer((await call.services.commands.one(call.params["id"])).to_dict())


ROUTES = (
    Route(
        method="POST", path="/api/v1/nodes/{id}/commands", handler=ask, params=(_NODE_PATH,),
        summary="Ask a node to do something: it is told when it is heard, and does it once",
        body=obj(
            {"name": {"type": "string", "enum": list(NAMES)}, "who": WHO},
            {"args": {"type": "object"}, "expires_s": integer(1, 30 * 86_400)},
        ),
        secured=True, errors=(400, 404, 409, 413), answer=COMMAND,
    ),
    Route(
        method="GET", path="/api/v1/nodes/{id}/commands", handler=of_node, params=(_NODE_PATH,),
        summary="A node's commands, the newest first", errors=(400, 404),
        answer=obj({"commands": array(COMMAND)}),
    ),
    Route(
        method="GET", path="/api/v1/commands/{id}", handler=one, summary="A command and what became of it",
        params=(
            Param(name="id", about="The command's number.", schema=COMMAND_ID, where="path", required=True),
        ),
        errors=(400, 404), answer=COMMAND,
    ),
)  # fmt: skip
