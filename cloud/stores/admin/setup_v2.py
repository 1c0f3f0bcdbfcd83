"""Set-up of an InfluxDB 2.x with its own client library: organisation, buckets, DBRP for InfluxQL, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from influxdb_client import (
    Authorization,
    BucketRetentionRules,
    DBRPCreate,
    DBRPsService,
    InfluxDBClient,
    OnboardingRequest,
    Permission,
    PermissionResource,
    SetupService,
)
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from cloud.errors import StoreUnavailable
from cloud.stores.admin.plan import PEOPLE, Person, Plan, days_in_words, new_secret
from edge.protocol.store_http import words_of

_TIMEOUT_MS = 10_000
_PAGE = 100


def set_up(plan: Plan) -> list[str]:
    """Make what is missing; return what was done. A server that was never set up gets its first account too."""
    with _translated(plan.url):
        done, token = _first_account(plan)
        with InfluxDBClient(url=plan.url, token=token, org=plan.organisation, timeout=_TIMEOUT_MS) as client:
            organisation, said = _organisation(client, plan)
            done.append(said)
            buckets = {}
            for level, name, days in plan.levels():
                buckets[level], said = _bucket(client, organisation, name, days)
                done += [said, _mapping(client, organisation, name, buckets[level])]
            for person in PEOPLE:
                done.append(_token(client, plan, person, organisation, buckets))
    return done


def _first_account(plan: Plan) -> tuple[list[str], str]:
    """Return what was done, and a token that may do everything."""
    with InfluxDBClient(url=plan.url, token="", timeout=_TIMEOUT_MS) as client:
        service = SetupService(client.api_client)
        if not service.get_setup().allowed:
            token = plan.admin_secret or plan.secret_of("admin-token")
            if not token:
                raise StoreUnavailable(
                    f"{plan.url} was set up before, and no token of its administrator is given",
                    remedy="give one with --admin-secret-file",
                )
            return [], token
        password, token = new_secret(), plan.admin_secret or new_secret()
        done = [plan.keep("admin-password", password), plan.keep("admin-token", token)]  # before it is too late
        service.post_setup(
            OnboardingRequest(
                username=plan.admin,
                password=password,
                org=plan.organisation,
                bucket=plan.database,
                retention_period_seconds=round(plan.keep_days[0] * 86_400),
                token=token,
            )
        )
        return [f"the first account: {plan.admin}", *done], token


def _organisation(client: InfluxDBClient, plan: Plan) -> tuple[str, str]:
    api = client.organizations_api()
    for known in api.find_organizations():
        if known.name == plan.organisation:
            return known.id, f"organisation {known.name}: there already"
    made = api.create_organization(plan.organisation)
    return made.id, f"organisation {made.name}: made"


def _bucket(client: InfluxDBClient, organisation: str, name: str, days: float) -> tuple[str, str]:
    api, seconds = client.buckets_api(), round(days * 86_400)
    kept = f"readings are kept {days_in_words(days)}"
    found = api.find_buckets(name=name, org_id=organisation, limit=_PAGE).buckets
    rules = [BucketRetentionRules(type="expire", every_seconds=seconds)]
    if not found:
        return api.create_bucket(
            bucket_name=name, retention_rules=rules, org=organisation
        ).id, f"bucket {name}: made, {kept}"
    bucket = found[0]
    if sum(rule.every_seconds for rule in bucket.retention_rules) == seconds:
        return bucket.id, f"bucket {name}: there already, {kept}"
    bucket.retention_rules = rules
    api.update_bucket(bucket)
    return bucket.id, f"bucket {name}: changed, {kept}"


def _mapping(client: InfluxDBClient, organisation: str, name: str, bucket: str) -> str:
    """Let InfluxQL find the bucket as a database of the same name."""
    service = DBRPsService(client.api_client)
    known = service.get_dbr_ps(org_id=organisation, db=name).content or []
    if any(each.bucket_id == bucket and each.default and not each.virtual for each in known):
        return f"database {name} of InfluxQL: there already"
    wanted = DBRPCreate(
        org_id=organisation, bucket_id=bucket, database=name, retention_policy="autogen", default=True
    )
    service.post_dbrp(wanted)
    return f"database {name} of InfluxQL: made (DBRP)"


def _token(
    client: InfluxDBClient, plan: Plan, person: Person, organisation: str, buckets: dict[str, str]
) -> str:
    api = client.authorizations_api()
    description = f"cityneuron {person.name}"
    known = any(each.description == description for each in api.find_authorizations(org_id=organisation))
    if known and plan.secret_of(person.name):
        return f"token of {person.name}: there already, in {plan.file_of(person.name)}"
    permissions = [
        Permission(
            action=action, resource=PermissionResource(type="buckets", id=buckets[level], org_id=organisation)
        )
        for action, levels in (("write", person.writes), ("read", person.reads))
        for level in levels
    ]
    made: Any = api.create_authorization(
        authorization=Authorization(org_id=organisation, permissions=permissions, description=description)
    )
    said = "made anew, since its file is gone (the old one still works; revoke it)" if known else "made"
    return f"token of {person.name}: {said}; {plan.keep(person.name, made.token)}"


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the library's errors into the store's."""
    try:
        yield
    except ApiException as error:
        words = words_of(error.body.encode() if isinstance(error.body, str) else error.body or b"")
        remedy = "check the administrator's token" if error.status in (401, 403) else ""
        raise StoreUnavailable(
            f"{url} answers {error.status}: {words or error.reason}", remedy=remedy
        ) from None
    except HTTPError as error:
        raise StoreUnavailable(f"{url} does not answer: {error}", remedy="check the address") from None
