"""The OpenAPI document, drawn from the table of routes."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from aiohttp import web

from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import obj

_ERROR = obj({"error": obj({"message": {"type": "string"}, "remedy": {"type": "string"}})})
_WRITE_ERROR = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "error": {}},
}
_MEANINGS = {
    200: "Done.",
    204: "Stored, and on disk.",
    206: "The bytes that were asked for.",
    304: "Nothing changed since.",
    400: "The request is wrong; the message names the place.",
    401: "The token is missing or wrong.",
    404: "It does not exist.",
    409: "It contradicts what is there; the message says what.",
    413: "The body is too large.",
    416: "There are no such bytes.",
    422: "The store will never take this.",
    503: "Try again later.",
    507: "The disk is full.",
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "City Neuron",
            "version": version("cityneuron"),
            "description": "Nodes, readings, ledger, alerts and devices of a city. Times are epoch ms.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "'Authorization: Token T' works too.",
                }
            }
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{route.path.translate(str.maketrans('/{}.', '____'))}",
        "parameters": [_parameter(param) for param in route.params],
        "responses": {
            str(status): _response(route, status)
            for status in (route.status, *((401,) if route.secured else ()), *route.errors)
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    elif route.text_body is not None:
        operation["requestBody"] = {
            "description": route.text_body,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    elif route.bytes_body is not None:
        operation["requestBody"] = {
            "required": True,
            "description": route.bytes_body,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    if route.secured:
        operation["security"] = [{"token": []}]
    return operation


def _parameter(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": param.where,
        "required": param.required,
        "description": param.about,
        "schema": param.schema,
    }


def _response(route: Route, status: int) -> dict[str, Any]:
    response: dict[str, Any] = {"description": _MEANINGS[status]}
    if status >= 400:
        response["content"] = {
            "application/json": {"schema": _WRITE_ERROR if route.text_body is not None else _ERROR}
        }
    elif status == 200:
        content: dict[str, Any] = {route.media: {"schema": route.answer or {}}}
        if any(param.name == "format" for param in route.params):
            content["text/csv"] = {"schema": {"type": "string"}}
        response["content"] = content
    return response


def openapi_route(routes: Iterable[Route]) -> Route:
    """Return the route that serves the document of these routes."""
    answer = document(routes)

    async def serve(_call: Call) -> web.Response:
        return json_answer(answer)

    return Route(method="GET", path="/openapi.json", handler=serve, summary="This document")
