"""What an administrator can ask of InfluxDB 2.x and 3 Core: accounts, buckets, mappings, tokens."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from servers import InfluxDB
from stores_peers.contract import InfluxDB2, InfluxDB3


class Admin2(InfluxDB2):
    """A 2.x as it was installed: nobody has an account yet."""

    def __init__(self, backend: InfluxDB) -> None:
        super().__init__(backend)
        self.tokens, self.buckets, self.mapped = set(), {}, set()
        self.organisations = set()
        self.master = ""
        self.authorizations: list[dict[str, Any]] = []
        self.dbrps: list[dict[str, Any]] = []
        routes = {
            ("GET", "/api/v2/setup"): self.may_set_up,
            ("POST", "/api/v2/setup"): self.set_up,
            ("GET", "/api/v2/orgs"): self.list_organisations,
            ("POST", "/api/v2/orgs"): self.add_organisation,
            ("GET", "/api/v2/buckets"): self.list_buckets,
            ("POST", "/api/v2/buckets"): self.add_bucket,
            ("PATCH", "/api/v2/buckets/{id}"): self.change_bucket,
            ("GET", "/api/v2/dbrps"): self.list_dbrps,
            ("POST", "/api/v2/dbrps"): self.add_dbrp,
            ("GET", "/api/v2/authorizations"): self.list_authorizations,
            ("POST", "/api/v2/authorizations"): self.add_authorization,
        }
        for (method, path), handler in routes.items():
            self.app.router.add_route(method, path, self._guarded(path, handler))

    def _guarded(self, path: str, handler: Any) -> Any:
        async def answer(request: web.Request) -> web.Response:
            if path != "/api/v2/setup" and request.headers.get("Authorization") != f"Token {self.master}":
                return self.unauthorised()
            return web.json_response(*await handler(request))

        return answer

    async def may_set_up(self, request: web.Request) -> tuple[Any]:
        return ({"allowed": not self.master},)

    async def set_up(self, request: web.Request) -> tuple[Any]:
        asked = await request.json()
        assert asked["username"] and asked["password"] and not self.master
        self.master = asked["token"]
        self.tokens.add(self.master)
        self.organisations.add(asked["org"])
        self.buckets[asked["bucket"]] = asked.get("retentionPeriodSeconds", 0) / 86_400
        return ({"auth": {"token": self.master}},)

    async def list_organisations(self, request: web.Request) -> tuple[Any]:
        return ({"orgs": [{"id": f"id-{name}", "name": name} for name in sorted(self.organisations)]},)

    async def add_organisation(self, request: web.Request) -> tuple[Any]:
        name = (await request.json())["name"]
        self.organisations.add(name)
        return ({"id": f"id-{name}", "name": name},)

    def bucket(self, name: str) -> dict[str, Any]:
        seconds = round(self.buckets[name] * 86_400)
        rules = [{"type": "expire", "everySeconds": seconds}] if seconds else []
        return {"id": f"id-{name}", "orgID": "id-city", "name": name, "retentionRules": rules}

    async def list_buckets(self, request: web.Request) -> tuple[Any]:
        name = request.query["name"]
        return ({"buckets": [self.bucket(name)] if name in self.buckets else []},)

    async def add_bucket(self, request: web.Request) -> tuple[Any]:
        asked = await request.json()
        assert asked["orgID"] == "id-city" and asked["name"] not in self.buckets
        self.buckets[asked["name"]] = asked["retentionRules"][0]["everySeconds"] / 86_400
        return (self.bucket(asked["name"]),)

    async def change_bucket(self, request: web.Request) -> tuple[Any]:
        name, asked = request.match_info["id"].removeprefix("id-"), await request.json()
        self.buckets[name] = asked["retentionRules"][0]["everySeconds"] / 86_400
        return (self.bucket(name),)

    async def list_dbrps(self, request: web.Request) -> tuple[Any]:
        """A bucket that nobody mapped is found under its own name all the same: `virtual`."""
        name = request.query["db"]
        found = [each for each in self.dbrps if each["database"] == name]
        if not found and name in self.buckets:
            found = [self._dbrp(name, f"id-{name}", virtual=True)]
        return ({"content": found},)

    def _dbrp(self, name: str, bucket: str, *, virtual: bool) -> dict[str, Any]:
        return {
            "id": f"id-dbrp-{name}",
            "database": name,
            "retention_policy": "autogen",
            "default": True,
            "orgID": "id-city",
            "bucketID": bucket,
            "virtual": virtual,
        }

    async def add_dbrp(self, request: web.Request) -> tuple[Any]:
        asked = await request.json()
        made = self._dbrp(asked["database"], asked["bucketID"], virtual=False)
        self.dbrps.append(made)
        self.mapped.add(asked["database"])
        return (made,)

    async def list_authorizations(self, request: web.Request) -> tuple[Any]:
        return ({"authorizations": self.authorizations},)

    async def add_authorization(self, request: web.Request) -> tuple[Any]:
        made = {
            **await request.json(),
            "id": str(len(self.authorizations)),
            "token": f"tok-{len(self.authorizations)}",
        }
        self.authorizations.append(made)
        self.tokens.add(made["token"])
        return (made,)


class Admin3(InfluxDB3):
    """A 3 Core as it was installed: no token yet, and the first is had for the asking."""

    def __init__(self, backend: InfluxDB) -> None:
        super().__init__(backend)
        self.tokens, self.buckets = set(), {}
        self.named: dict[str, str] = {}
        self.app.router.add_post("/api/v3/configure/token/admin", self.first_token)
        self.app.router.add_post("/api/v3/configure/token/named_admin", self.named_token)
        self.app.router.add_post("/api/v3/configure/database", self.add_database)

    async def first_token(self, request: web.Request) -> web.Response:
        if self.tokens:
            return web.Response(status=409, text="token name already exists, _admin")
        self.tokens.add("apiv3_first")
        return web.json_response({"id": 0, "name": "_admin", "token": "apiv3_first"}, status=201)

    async def named_token(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return self.unauthorised()
        name = (await request.json())["token_name"]
        if name in self.named:
            return web.Response(status=409, text=f"token name already exists, {name}")
        self.named[name] = f"apiv3_{name}"
        self.tokens.add(self.named[name])
        return web.json_response({"name": name, "token": self.named[name]}, status=201)

    async def add_database(self, request: web.Request) -> web.Response:
        if not self.may(request):
            return self.unauthorised()
        asked = await request.json()
        if asked["db"] in self.buckets:
            return web.Response(status=409, text="resource already exists")
        kept = asked.get("retention_period", "0h")
        assert kept.endswith("h")
        self.buckets[asked["db"]] = int(kept[:-1]) / 24
        return web.Response(status=200)
