"""A contract server: answers as Grafana's HTTP API documents, for what push, diff and smoke ask of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from dashboards.check.durations import milliseconds

Json = dict[str, Any]

TOKENS = {"secret": "Admin", "editor": "Editor", "viewer": "Viewer"}


class GrafanaServer:
    """Folders, boards with their history, alerting objects with their provenance, queries, rule health."""

    def __init__(self) -> None:
        self.url = ""
        self.folders: dict[str, Json] = {}
        self.boards: dict[str, list[Json]] = {}  # uid -> every version, the newest last
        self.provisioned: dict[str, str] = {}  # uid -> the file that Grafana reads it from
        self.templates: dict[str, Json] = {}
        self.mutes: dict[str, Json] = {}
        self.contact_points: dict[str, Json] = {"default": {"uid": "default", "name": "grafana-default-email"}}
        self.policies: Json = {"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]}
        self.groups: dict[tuple[str, str], Json] = {}
        self.rule_health: list[Json] = []
        self.answers: dict[str, Json] = {}  # a piece of a query -> what the data source answers
        self.queries: list[Json] = []
        self.writes: list[str] = []
        self.trouble: web.Response | None = None  # what it answers to everything, if anything is wrong
        self.frozen = False  # it answers nothing, until the end
        self.end = asyncio.Event()
        self.saved_meanwhile: set[str] = set()  # boards that somebody saves between our look and our write

    def saved(self, uid: str) -> Json:
        """The board as it stands."""
        content: Json = self.boards[uid][-1]["data"]
        return content

    def people_save(self, uid: str, **changes: Any) -> None:
        """Somebody edits a board in the browser and saves it, with a message of their own or none."""
        self._save(uid, {**self.saved(uid), **changes}, self.boards[uid][-1]["folder"], "", by="li")

    def _save(self, uid: str, content: Json, folder: str, message: str, by: str = "sa-cityneuron") -> int:
        versions = self.boards.setdefault(uid, [])
        number = len(versions) + 1
        entry = {"version": number, "message": message, "createdBy": by, "created": f"2026-11-{number:02}"}
        versions.append({**entry, "data": {**content, "version": number, "id": 7}, "folder": folder})
        return number

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._guard], client_max_size=32 << 20)
        provisioning = "/api/v1/provisioning"
        app.add_routes(
            [
                web.get("/api/search", self.search),
                web.get("/api/folders/{uid}", self.folder),
                web.post("/api/folders", self.create_folder),
                web.get("/api/dashboards/uid/{uid}", self.board),
                web.get("/api/dashboards/uid/{uid}/versions", self.versions),
                web.post("/api/dashboards/db", self.save_board),
                web.post("/api/ds/query", self.query),
                web.get("/api/prometheus/grafana/api/v1/rules", self.rules),
                web.get(provisioning + "/templates/{name}", self.named("templates")),
                web.put(provisioning + "/templates/{name}", self.put_named("templates", 202)),
                web.get(provisioning + "/mute-timings/{name}", self.named("mutes")),
                web.post(provisioning + "/mute-timings", self.put_named("mutes", 201)),
                web.put(provisioning + "/mute-timings/{name}", self.put_named("mutes", 202)),
                web.get(provisioning + "/contact-points", self.get_contact_points),
                web.post(provisioning + "/contact-points", self.put_contact_point),
                web.put(provisioning + "/contact-points/{uid}", self.put_contact_point),
                web.get(provisioning + "/policies", self.get_policies),
                web.put(provisioning + "/policies", self.put_policies),
                web.get(provisioning + "/folder/{folder}/rule-groups/{group}", self.get_group),
                web.put(provisioning + "/folder/{folder}/rule-groups/{group}", self.put_group),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.frozen:
            await self.end.wait()
        if self.trouble is not None:
            return self.trouble
        role = TOKENS.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if role is None:
            return fail(401, "Invalid API key")
        writes = request.method != "GET" and request.path != "/api/ds/query"
        if writes and (role == "Viewer" or ("provisioning" in request.path and role != "Admin")):
            return fail(403, "You'll need additional permissions to perform this action.")
        if writes:
            self.writes.append(f"{request.method} {request.path}")
        response: web.StreamResponse = await handler(request)
        return response

    async def search(self, _: web.Request) -> web.Response:
        return web.json_response([{"uid": uid, "title": self.saved(uid)["title"]} for uid in self.boards])

    async def folder(self, request: web.Request) -> web.Response:
        found = self.folders.get(request.match_info["uid"])
        return web.json_response(found) if found else fail(404, "folder not found", status="not-found")

    async def create_folder(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["uid"] in self.folders:
            return fail(412, "a folder with the same uid already exists")
        self.folders[body["uid"]] = {**body, "version": 1}
        return web.json_response(self.folders[body["uid"]])

    async def board(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        if uid not in self.boards:
            return fail(404, "Dashboard not found")
        folder = self.boards[uid][-1]["folder"]
        title = self.folders.get(folder, {"title": "General"})["title"]
        meta = {"folderUid": folder, "folderTitle": title, "provisioned": uid in self.provisioned}
        meta["provisionedExternalId"] = self.provisioned.get(uid, "")
        return web.json_response({"meta": meta, "dashboard": self.saved(uid)})

    async def versions(self, request: web.Request) -> web.Response:
        found = [
            {k: v for k, v in entry.items() if k != "data"} for entry in self.boards[request.match_info["uid"]]
        ]
        return web.json_response({"continueToken": "", "versions": found[::-1]})

    async def save_board(self, request: web.Request) -> web.Response:
        body = await request.json()
        board, uid = body["dashboard"], body["dashboard"]["uid"]
        if uid in self.provisioned:
            return fail(400, "Cannot save provisioned dashboard")
        if uid in self.saved_meanwhile:
            self.people_save(uid, title="meanwhile")
        stale = uid in self.boards and board.get("version") != self.saved(uid)["version"]
        if stale and not body.get("overwrite"):
            message = "The dashboard has been changed by someone else"
            return fail(412, message, status="version-mismatch")
        if body["folderUid"] and body["folderUid"] not in self.folders:
            return fail(400, "folder not found")
        number = self._save(uid, board, body["folderUid"], body.get("message", ""))
        return web.json_response({"uid": uid, "status": "success", "version": number, "url": f"/d/{uid}/x"})

    async def query(self, request: web.Request) -> web.Response:
        body = await request.json()
        (query,) = body["queries"]
        self.queries.append({**query, "from": body["from"]})
        told = [answer for piece, answer in self.answers.items() if piece in query["query"]]
        answer = (told or [{"frames": [{"data": {"values": [[1, 2], [3, 4]]}}]}])[0]
        status = 400 if "error" in answer else 200
        return web.json_response({"results": {query["refId"]: answer}}, status=status)

    async def rules(self, _: web.Request) -> web.Response:
        groups = [{"name": "watchers", "rules": self.rule_health}]
        return web.json_response({"status": "success", "data": {"groups": groups}})

    def named(self, kind: str) -> Any:
        async def get(request: web.Request) -> web.Response:
            found = getattr(self, kind).get(request.match_info["name"])
            return web.json_response(found) if found else fail(404, "not found")

        return get

    def put_named(self, kind: str, status: int) -> Any:
        async def put(request: web.Request) -> web.Response:
            body = await request.json()
            getattr(self, kind)[body["name"]] = {**body, "provenance": "api", "version": "x"}
            return web.json_response(body, status=status)

        return put

    async def get_contact_points(self, _: web.Request) -> web.Response:
        return web.json_response([redacted(point) for point in self.contact_points.values()])

    async def put_contact_point(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.contact_points[body["uid"]] = {**body, "provenance": "api"}
        return web.json_response(body, status=202)

    async def get_policies(self, _: web.Request) -> web.Response:
        return web.json_response(self.policies)

    async def put_policies(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["receiver"] not in {point["name"] for point in self.contact_points.values()}:
            return fail(400, f"invalid object specification: receiver '{body['receiver']}' does not exist")
        self.policies = {**body, "provenance": "api"}
        return web.json_response({"message": "policies updated"}, status=202)

    async def get_group(self, request: web.Request) -> web.Response:
        found = self.groups.get((request.match_info["folder"], request.match_info["group"]))
        return web.json_response(found) if found else fail(404, "rule group not found")

    async def put_group(self, request: web.Request) -> web.Response:
        body, folder = await request.json(), request.match_info["folder"]
        if folder not in self.folders:
            return fail(400, "folder does not exist")
        rules = [
            {**rule, "id": 1, "provenance": "api", "updated": "now", **spans(rule)} for rule in body["rules"]
        ]
        self.groups[folder, request.match_info["group"]] = {**body, "rules": rules}
        return web.json_response(body)


def spans(rule: Json) -> Json:
    """Spans of time come back in their largest units: 90s as 1m30s."""
    return {key: span(milliseconds(rule[key]) or 0) for key in ("for", "keep_firing_for") if key in rule}


def span(rest: int) -> str:
    text = ""
    for letter, ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        count, rest = divmod(rest, ms)
        text += f"{count}{letter}" if count else ""
    return text or "0s"


def redacted(point: Json) -> Json:
    """Secrets are never shown again."""
    settings = {
        key: "[REDACTED]" if key == "password" else value for key, value in point.get("settings", {}).items()
    }
    return {**point, "settings": settings}


def fail(code: int, message: str, **more: str) -> web.Response:
    """An error as Grafana words it."""
    return web.json_response({"message": message, **more}, status=code)


@contextmanager
def running() -> Iterator[GrafanaServer]:
    """Run the server on a free port, in a thread of its own: what it is asked by is not asynchronous."""
    server, loop, ready = GrafanaServer(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        runner = web.AppRunner(server.app(), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await server.end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield server
    finally:
        loop.call_soon_threadsafe(server.end.set)
        thread.join()
        loop.close()
