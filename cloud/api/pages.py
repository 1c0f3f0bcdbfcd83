"""The wall's files: one page and what it needs, from the folder web/ beside this package."""

from pathlib import Path

from aiohttp import web

from cloud.api.routing import Call, Param, Route
from cloud.api.schema import text
from cloud.errors import NotFound

WEB = Path(__file__).resolve().parent.parent / "web"


async def wall(_call: Call) -> web.StreamResponse:
    """Answer with the wall."""
    return _file(WEB, "index.html")


async def static(call: Call) -> web.StreamResponse:
    """Answer with a file of the wall."""
    return _file(WEB / "static", call.params["path"])


def _file(folder: Path, name: str) -> web.FileResponse:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound(f"there is no file {name!r} here", remedy="the wall is at /, the API at /openapi.json")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


_PATH = Param(
    name="path", about="A file of the wall.", schema=text(max_length=200), where="path", required=True
)
ROUTES = (
    Route(method="GET", path="/", handler=wall, summary="The wall", media="text/html", errors=(404,)),
    Route(
        method="GET", path="/static/{path}", handler=static, summary="The wall's files", params=(_PATH,),
        media="application/octet-stream", errors=(404,),
    ),
)  # fmt: skip
