"""The cloud as the field engineer needs it: its HTTP API, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from edge.field.diagnosis import FieldError, Symptom, diagnose

TIMEOUT_S = 30.0
FINAL = frozenset({"done", "refused", "expired", "failed"})
"""States of a command that do not change any more."""


_TOLD_BY = {"nodes": ("node", "list"), "rollouts": ("roll-out", "update"), "commands": ("command", "show ID")}
"""What the folders of the API hold, and the command that lists them."""


class NotThere(FieldError):
    """The cloud knows no such thing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """What the cloud answers when a device becomes a node. Certificates are PEM."""

    node: Mapping[str, Any]
    certificate: str
    ca: str
    broker_host: str = ""
    broker_port: int = 8883
    broker_tls: bool = True
    ntp_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Provisioned:
        """Read the answer to `provision` and `replace`."""
        broker = row.get("broker") or {}
        return cls(
            node=row["node"],
            certificate=row["certificate"],
            ca=row["ca"],
            broker_host=str(broker.get("host") or ""),
            broker_port=int(broker.get("port") or 8883),
            broker_tls=bool(broker.get("tls", True)),
            ntp_hosts=tuple(row.get("ntp_hosts") or ()),
        )


class CloudApi:
    """One session with the cloud. Every method raises FieldError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Token {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def provision(self, registration: Mapping[str, object]) -> Provisioned:
        """Register a device and have its certificate made."""
        return Provisioned.of(await self._post("provision", registration))

    async def replace(self, node: str, body: Mapping[str, object]) -> Provisioned:
        """Let another device take a node's place."""
        return Provisioned.of(await self._post(f"nodes/{quote(node)}/replace", body))

    async def nodes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return all nodes, or those of a kind."""
        return list((await self._get("nodes", kind=kind))["nodes"])

    async def node(self, node: str) -> dict[str, Any]:
        """Return a node."""
        return await self._get(f"nodes/{quote(node)}")

    async def device(self, node: str) -> dict[str, Any] | None:
        """Return the device behind a node, None when it was never provisioned."""
        return await self._get_or_none(f"nodes/{quote(node)}/device")

    async def latest(self, node: str) -> dict[str, Any] | None:
        """Return a node's newest stored reading, None when there is none."""
        rows = (await self._get("latest", node=node))["latest"]
        return dict(rows[0]) if rows else None

    async def note(self, node: str, who: str, text: str) -> None:
        """Keep a note about a node."""
        await self._post(f"nodes/{quote(node)}/notes", {"who": who, "text": text})

    async def gateways(self) -> list[dict[str, Any]]:
        """Return the gateways and their health."""
        return list((await self._get("gateways"))["gateways"])

    async def send_command(
        self, node: str, name: str, args: Mapping[str, Any], *, expires_s: int, who: str
    ) -> dict[str, Any]:
        """Queue a command for a node."""
        body = {"name": name, "args": dict(args), "expires_s": expires_s, "who": who}
        return await self._post(f"nodes/{quote(node)}/commands", body)

    async def command(self, ident: int) -> dict[str, Any]:
        """Return a command and what became of it."""
        return await self._get(f"commands/{ident}")

    async def commands(self, node: str) -> list[dict[str, Any]]:
        """Return a node's commands."""
        return list((await self._get(f"nodes/{quote(node)}/commands"))["commands"])

    async def upload(self, bundle: bytes) -> dict[str, Any]:
        """Store a signed bundle; the same one again changes nothing."""
        return await self._ask("POST", "firmware", data=bundle)

    async def start_rollout(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Begin a roll-out."""
        return await self._post("rollouts", body)

    async def rollouts(self) -> list[dict[str, Any]]:
        """Return all roll-outs."""
        return list((await self._get("rollouts"))["rollouts"])

    async def rollout(self, ident: int) -> dict[str, Any]:
        """Return a roll-out and how far it is."""
        return await self._get(f"rollouts/{ident}")

    async def change_rollout(self, ident: int, change: str, who: str) -> dict[str, Any]:
        """Stop or resume a roll-out."""
        return await self._post(f"rollouts/{ident}/{change}", {"who": who})

    async def _get_or_none(self, path: str) -> dict[str, Any] | None:
        try:
            return await self._get(path)
        except NotThere:
            return None

    async def _get(self, path: str, **params: str | None) -> dict[str, Any]:
        return await self._ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    async def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return await self._ask("POST", path, json=dict(body))

    async def _ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        assert self._session is not None, "use it as a context"
        try:
            async with self._session.request(method, f"{self.url}/api/v1/{path}", **how) as answer:
                text = await answer.text()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise diagnose(
                Symptom.CLOUD_AWAY, url=self.url, said=str(error) or f"no answer in {TIMEOUT_S:g} s"
            ) from None
        if status < 400:
            try:
                return dict(json.loads(text))
            except ValueError:
                raise diagnose(
                    Symptom.CLOUD_REFUSED, said="its answer is no JSON", remedy="check --cloud"
                ) from None
        raise self._refusal(status, text, path)

    def _refusal(self, status: int, text: str, path: str) -> FieldError:
        try:
            said = json.loads(text)["error"]
            message, remedy = str(said["message"]), str(said.get("remedy") or "")
        except (ValueError, KeyError, TypeError):
            message, remedy = f"{status} at /api/v1/{path}", "check --cloud: is City Neuron's cloud there?"
        if status in (401, 403):
            return diagnose(Symptom.TOKEN_REFUSED, url=self.url)
        if status == 409 and path.rpartition("/")[2] in ("provision", "replace"):
            return diagnose(Symptom.ID_TAKEN, said=message, remedy=remedy)
        error = diagnose(Symptom.CLOUD_REFUSED, said=message, remedy=remedy)
        if status == 404:
            folder, _, name = path.partition("/")
            if folder in _TOLD_BY and name:
                thing, how = _TOLD_BY[folder]
                what = f"{thing} {name.partition('/')[0]}"
                error = diagnose(Symptom.NOT_REGISTERED, url=self.url, what=what, how=how)
            return NotThere(error.symptom, error.stage, error.cause, error.remedies)
        return error
