"""Set-up of an InfluxDB 1.x: databases, how long they keep, users with just their rights."""

from __future__ import annotations

from cloud.errors import StoreUnavailable
from cloud.stores.admin.check import hours_of
from cloud.stores.admin.plan import PEOPLE, Person, Plan, days_in_words, new_secret
from cloud.stores.admin.server import Server


async def set_up(plan: Plan) -> list[str]:
    """Make what is missing; return what was done. A server without any user gets an administrator."""
    done, secret = await _first_account(plan)
    async with Server(plan.url, username=plan.admin if secret else "", secret=secret) as server:
        return done + await _make(server, plan)


async def _first_account(plan: Plan) -> tuple[list[str], str]:
    """Return what was done, and the administrator's password; "" where the server asks nobody who he is."""
    known = plan.admin_secret or plan.secret_of("admin-password")
    if known:
        return [], known
    async with Server(plan.url) as server:
        answer = await server.ask("GET", "/query", params={"q": "SHOW DATABASES"})
        if answer.ok:
            return ["it asks nobody who he is: set auth-enabled = true once the users are made"], ""
        if "create admin user" not in answer.words:
            raise StoreUnavailable(
                f"{plan.url} answers {answer.status}: {answer.words}",
                remedy="give its administrator's password with --admin-secret-file",
            )
        secret = new_secret()
        kept = plan.keep("admin-password", secret)
        await server.query(f"CREATE USER \"{plan.admin}\" WITH PASSWORD '{secret}' WITH ALL PRIVILEGES")
        return [f"administrator {plan.admin}: made", kept], secret


async def _make(server: Server, plan: Plan) -> list[str]:
    done = []
    databases = await _names(server, "SHOW DATABASES")
    for _, database, days in plan.levels():
        if database not in databases:
            await server.query(f'CREATE DATABASE "{database}"')
        policy, kept_days = await _policy(server, database)
        if kept_days != days:
            await server.query(f'ALTER RETENTION POLICY "{policy}" ON "{database}" DURATION {_duration(days)}')
        state = "made" if database not in databases else "changed" if kept_days != days else "there already"
        done.append(f"database {database}: {state}, readings are kept {days_in_words(days)}")
    users = await _names(server, "SHOW USERS")
    for person in PEOPLE:
        done += await _user(server, plan, person, exists=person.name in users)
    return done


async def _names(server: Server, statement: str) -> set[str]:
    return {row[0] for series in await server.query(statement) for row in series.get("values", [])}


async def _policy(server: Server, database: str) -> tuple[str, float]:
    """Return the default retention policy and the days it keeps, 0 for ever."""
    for series in await server.query(f'SHOW RETENTION POLICIES ON "{database}"', database):
        for values in series["values"]:
            row = dict(zip(series["columns"], values, strict=True))
            if row["default"]:
                return row["name"], hours_of(row["duration"]) / 24
    return "autogen", 0.0


def _duration(days: float) -> str:
    return f"{round(days * 24)}h" if days else "INF"


async def _user(server: Server, plan: Plan, person: Person, *, exists: bool) -> list[str]:
    done = []
    if exists:
        done.append(f"user {person.name}: there already, its password was not touched")
    else:
        secret = plan.secret_of(person.name) or new_secret()
        done += [f"user {person.name}: made", plan.keep(person.name, secret)]
        await server.query(f"""CREATE USER "{person.name}" WITH PASSWORD '{secret.replace("'", "")}'""")
    for level, database, _ in plan.levels():
        rights = {(True, True): "ALL", (True, False): "WRITE", (False, True): "READ"}
        right = rights.get((level in person.writes, level in person.reads))
        if right:
            await server.query(f'GRANT {right} ON "{database}" TO "{person.name}"')
    return done
