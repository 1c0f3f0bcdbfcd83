"""Servers that answer writes and InfluxQL as InfluxDB 2.x and 3 Core do, in their words and with their codes.

Neither can be had from a package registry, so this is their contract, from their documentation and sources:
who may write, what becomes of a batch with a bad line, of a type that differs, of a point beyond the retention.
What is taken goes into a real InfluxDB 1.x, which answers the questions.
"""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
from aiohttp import web
from servers import InfluxDB

from edge.protocol.lines import LineError, Point, parse_lines

TOKEN = "t0ken-of-the-gateway"
NS_PER_DAY = 86_400 * 10**9
NAMES = {bool: "boolean", str: "string", float: "float", int: "integer"}


class Contract:
    """What 2.x and 3.x have in common: tokens, buckets, a schema, and the real database behind it."""

    version = ""

    def __init__(self, backend: InfluxDB) -> None:
        self.backend = backend
        self.tokens = {TOKEN}
        self.buckets: dict[str, float] = {"city": 0.0}  # name -> days it keeps
        self.most_bytes = 10 * 1024 * 1024
        self.types: dict[tuple[str, str], type] = {}
        self.url = ""
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self.app.router.add_get("/query", self.query)
        self.app.router.add_get("/ping", self.ping)

    def may(self, request: web.Request) -> bool:
        scheme, _, word = request.headers.get("Authorization", "").partition(" ")
        return scheme in ("Token", "Bearer") and word in self.tokens

    def refused_type(self, point: Point) -> tuple[str, type, type] | None:
        """Return the field whose type differs from the stored one, with both types."""
        for name, value in point.fields:
            known = self.types.get((point.measurement, name))
            if known is not None and known is not type(value):
                return name, known, type(value)
        return None

    def learn(self, point: Point) -> None:
        for name, value in point.fields:
            self.types.setdefault((point.measurement, name), type(value))

    def is_too_old(self, point: Point, bucket: str) -> bool:
        days = self.buckets[bucket]
        return bool(days) and (point.time_ns or 0) < time.time_ns() - days * NS_PER_DAY

    async def store(self, bucket: str, lines: list[str]) -> None:
        """Bring what is taken to the real database."""
        if not lines:
            return
        body, params = "\n".join(lines).encode(), {"db": bucket, "precision": "ns"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.backend.url}/write", params=params, data=body) as reply,
        ):
            assert reply.status == 204, await reply.text()

    async def query(self, request: web.Request) -> web.Response:
        """Answer one statement of the portable part of InfluxQL."""
        if not self.may(request):
            return self.unauthorised()
        statement, database = request.query["q"], request.query.get("db", "")
        if ";" in statement.replace("\\;", "") and "'" not in statement:
            return self.say(400, "several statements")
        if statement == "SHOW DATABASES":
            values = [[name] for name in self.databases()]
            series = {"name": "databases", "columns": ["name"], "values": values}
            return web.json_response({"results": [{"statement_id": 0, "series": [series]}]})
        if database not in self.databases():
            return self.no_database(database)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.backend.url}/query", params=dict(request.query)) as reply,
        ):
            return web.Response(status=reply.status, body=await reply.read(), content_type="application/json")

    async def ping(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": self.version})

    def databases(self) -> list[str]:
        return list(self.buckets)

    def unauthorised(self) -> web.Response:
        raise NotImplementedError

    def no_database(self, name: str) -> web.Response:
        raise NotImplementedError

    def say(self, status: int, words: str) -> web.Response:
        raise NotImplementedError


class InfluxDB2(Contract):
    """InfluxDB 2.7: what it cannot read keeps the batch out (400); a wrong type or age its line (422)."""

    version = "v2.7.11"

    def __init__(self, backend: InfluxDB) -> None:
        super().__init__(backend)
        self.organisations = {"city"}
        self.mapped: set[str] = {"city"}
        self.app.router.add_post("/api/v2/write", self.write)
        self.app.router.add_post("/write", self.write)

    async def write(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return self.unauthorised()
        bucket = request.query.get("bucket") or request.query.get("db", "")
        if bucket not in self.buckets:
            return self.say(404, f'bucket "{bucket}" not found', "not found")
        body = await request.read()
        if len(body) > self.most_bytes:
            return self.say(413, "points batch is too large", "request too large")
        kept, problem = [], ""
        for line in body.decode().split("\n"):
            try:
                (point,) = parse_lines(line)
            except (LineError, ValueError):
                return self.say(400, f"unable to parse '{line}': invalid field format", "invalid")
            if found := self.refused_type(point):
                name, known, given = found
                problem = problem or (
                    f'partial write: field type conflict: input field "{name}" on measurement '
                    f'"{point.measurement}" '
                    f"is type {NAMES[given]}, already exists as type {NAMES[known]} dropped=1"
                )
            elif self.is_too_old(point, bucket):
                problem = problem or "partial write: points beyond retention policy dropped=1"
            else:
                self.learn(point)
                kept.append(line)
        await self.store(bucket, kept)
        if problem:
            return self.say(422, f"failure writing points to database: {problem}", "unprocessable entity")
        return web.Response(status=204)

    def databases(self) -> list[str]:
        return sorted(self.mapped & set(self.buckets))

    def unauthorised(self) -> web.Response:
        return self.say(401, "unauthorized access", "unauthorized")

    def no_database(self, name: str) -> web.Response:
        return web.json_response({"results": [{"statement_id": 0, "error": f"database not found: {name}"}]})

    def say(self, status: int, words: str, code: str = "invalid") -> web.Response:
        return web.json_response({"code": code, "message": words}, status=status)


class InfluxDB3(Contract):
    """InfluxDB 3 Core: by /api/v3/write_lp a batch is taken as a whole or refused; by the others, line by line.

    A database that is not there is made by the first write. What is too old is taken, and dropped unseen.
    """

    version = "3.2.1"

    def __init__(self, backend: InfluxDB) -> None:
        super().__init__(backend)
        self.app.router.add_post("/api/v3/write_lp", self.write)
        self.app.router.add_post("/api/v2/write", self.write)
        self.app.router.add_post("/write", self.write)

    async def write(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return self.unauthorised()
        bucket = request.query.get("bucket") or request.query.get("db", "")
        if not bucket.replace("_", "").replace("-", "").isalnum():
            return self.say(
                400, "invalid character in database name: must be ASCII, containing only letters, numbers"
            )
        body = await request.read()
        if len(body) > self.most_bytes:
            return web.Response(status=500, text=f"max request size ({self.most_bytes} bytes) exceeded")
        partly = request.query.get("accept_partial", "true") == "true"
        kept: list[tuple[str, Point]] = []
        bad: list[dict[str, Any]] = []
        types = dict(self.types)
        for number, line in enumerate(body.decode().split("\n"), 1):
            problem, point = self._judge(line)
            if point is None:
                bad.append({"original_line": line, "line_number": number, "error_message": problem})
            else:
                kept.append((line, point))
                self.learn(point)
        if bad and not partly:
            self.types = types
            return web.json_response(
                {"error": "parsing failed for write_lp endpoint", "data": bad[0]}, status=400
            )
        self.buckets.setdefault(bucket, 0.0)
        await self.store(bucket, [line for line, point in kept if not self.is_too_old(point, bucket)])
        if bad:
            return web.json_response(
                {"error": "partial write of line protocol occurred", "data": bad[:100]}, status=400
            )
        return web.Response(status=204)

    def _judge(self, line: str) -> tuple[str, Point | None]:
        try:
            (point,) = parse_lines(line)
        except (LineError, ValueError):
            return f"Could not parse entire line. Found trailing content: `{line[-9:]}`", None
        if found := self.refused_type(point):
            name, known, given = (found[0], *(f"iox::column_type::field::{NAMES[each]}" for each in found[1:]))
            return f"invalid column type for column '{name}', expected {known}, got {given}", None
        return "", point

    async def ping(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return self.unauthorised()
        body = json.dumps({"version": self.version, "revision": "abc", "process_id": "1"})
        return web.Response(text=body, headers={"X-Influxdb-Version": self.version})

    def unauthorised(self) -> web.Response:
        return self.say(401, "the request was not authenticated")

    def no_database(self, name: str) -> web.Response:
        return self.say(404, f"database not found: {name}")

    def say(self, status: int, words: str) -> web.Response:
        return web.json_response({"error": words, "data": None}, status=status)
