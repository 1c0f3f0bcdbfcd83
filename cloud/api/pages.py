"""The pages' files: the wall, a node's page for a phone, and what they need, from web/ beside this package."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from cloud.api.routing import Call, Param, Route
from cloud.api.schema import text
from cloud.api.shapes import NODE_ID
from cloud.errors import NotFound

WEB = Path(__file__).resolve().parent.parent / "web"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


async def wall(_call: Call) -> web.StreamResponse:
    """Answer with the wall."""
    return _file(WEB, "index.html")


async def node_page(_call: Call) -> web.StreamResponse:
    """Answer with the page behind a node's QR code, which may ask the phone where it is."""
    return _file(WEB, "node.html", {"Permissions-Policy": "camera=(), geolocation=(self), microphone=()"})


async def static(call: Call) -> web.StreamResponse:
    """Answer with a file of the wall."""
    return _file(WEB / "static", call.params["path"])


def _file(folder: Path, name: str, headers: Mapping[str, str] = NO_HEADERS) -> web.FileResponse:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound(f"there is no file {name!r} here", remedy="the wall is at /, the API at /openapi.json")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache", **headers})


_PATH = Param(
    name="path", about="A file of the wall.", schema=text(max_length=200), where="path", required=True
)
ROUTES = (
    Route(method="GET", path="/", handler=wall, summary="The wall", media="text/html", errors=(404,)),
    Route(
        method="GET", path="/n/{id}", handler=node_page, summary="A node's page for a phone", media="text/html",
        params=(Param(name="id", about="The node's id.", schema=NODE_ID, where="path", required=True),),
        errors=(400, 404),
    ),
    Route(
        method="GET", path="/static/{path}", handler=static, summary="The wall's files", params=(_PATH,),
        media="application/octet-stream", errors=(404,),
    ),
)  # fmt: skip
