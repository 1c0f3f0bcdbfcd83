"""Set-up of an InfluxDB 3.x: its first token, databases with their retention, a token a user."""

from __future__ import annotations

import json

from cloud.errors import StoreUnavailable
from cloud.stores.admin.plan import PEOPLE, Plan, days_in_words
from cloud.stores.admin.server import Answer, Server


async def set_up(plan: Plan) -> list[str]:
    """Make what is missing; return what was done.

    3 Core knows only tokens that may do everything, and a retention is given when a database is made, once
    and for all. Source: InfluxDB 3 Core, "Create a database", "Manage admin tokens".
    """
    done, token = await _first_token(plan)
    async with Server(plan.url, secret=token) as server:
        for _, database, days in plan.levels():
            done.append(await _database(server, database, days))
        for person in PEOPLE:
            done.append(await _token(server, plan, person.name))
    return done


async def _first_token(plan: Plan) -> tuple[list[str], str]:
    known = plan.admin_secret or plan.secret_of("admin-token")
    if known:
        return [], known
    async with Server(plan.url) as server:
        answer = await server.ask("POST", "/api/v3/configure/token/admin")
        if not answer.ok:
            raise StoreUnavailable(
                f"{plan.url} has a first token already ({answer.status}: {answer.words})",
                remedy="give it with --admin-secret-file",
            )
        token = str(answer.json["token"])
        return ["the first token (_admin): made", plan.keep("admin-token", token)], token


async def _database(server: Server, database: str, days: float) -> str:
    wanted = {"db": database, **({"retention_period": f"{round(days * 24)}h"} if days else {})}
    answer = await _post(server, "/api/v3/configure/database", wanted)
    if answer.ok:
        return f"database {database}: made, readings are kept {days_in_words(days)}"
    if answer.status == 409 or "already exists" in answer.words.lower():
        return f"database {database}: there already; 3 Core does not change how long it keeps readings"
    raise _refused(server, answer)


async def _token(server: Server, plan: Plan, name: str) -> str:
    if plan.secret_of(name):
        return f"token of {name}: there already, in {plan.file_of(name)}"
    answer = await _post(server, "/api/v3/configure/token/named_admin", {"token_name": f"cityneuron-{name}"})
    if answer.status == 409:
        return f"token of {name}: there already, and not in {plan.file_of(name)}: write it there, or delete it"
    if not answer.ok:
        raise _refused(server, answer)
    kept = plan.keep(name, str(answer.json["token"]))
    return f"token of {name}: made (3 Core has no narrower right than all); {kept}"


async def _post(server: Server, path: str, body: dict[str, str]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return await server.ask("POST", path, data=json.dumps(body).encode(), headers=headers)


def _refused(server: Server, answer: Answer) -> StoreUnavailable:
    remedy = "check the administrator's token" if answer.status in (401, 403) else ""
    return StoreUnavailable(f"{server.url} answers {answer.status}: {answer.words}", remedy=remedy)
