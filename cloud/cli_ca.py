"""The command line of the authority: `cityneuron cloud ca ...`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from sqlalchemy.orm import Session

from cloud.ca import GATEWAY, Authority, private_pem, write_once, write_whole
from cloud.config import CloudConfig, load, without_file
from cloud.errors import CloudError, Conflict, NotFound
from cloud.provision import offline, records
from cloud.registry import Registry

_T = TypeVar("_T")
_Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="cloud.toml; without it the data folder alone counts.")
]
_Data = Annotated[
    Path,
    typer.Option("--data", envvar="CITYNEURON_DATA", help="The cloud's data folder, without a cloud.toml."),
]
_To = Annotated[Path, typer.Option("--to", help="Where to write it.")]
_DATA = Path("city-data")
app = typer.Typer(
    help="The certificate authority: who is let onto the broker.", no_args_is_help=True, add_completion=False
)
_out = Console(highlight=False, soft_wrap=True)


@app.command()
def init(config: _Config = None, data: _Data = _DATA) -> None:
    """Make the root, once; and the list of revoked certificates, still empty."""
    found = _config(config, data)
    authority = Authority.create(found.authority_folder, _now_ms(), passphrase=found.ca_passphrase)
    _write(found.crl_file, authority.revocations([], _now_ms()))
    _out.print(f"The root lies in {authority.folder}. Keep a copy of root.key where nobody finds it.")
    _out.print(f"SHA-256 {authority.fingerprint}")
    if not found.ca_passphrase:
        _out.print("Its key is not encrypted: set CITYNEURON_CA_PASSPHRASE before `init` if it should be.")


@app.command()
def export(
    to: _To = Path("ca.crt"),
    der: Annotated[bool, typer.Option("--der", help="As nodes keep it, not as PEM.")] = False,
    config: _Config = None,
    data: _Data = _DATA,
) -> None:
    """Write the root's certificate (no secret), which nodes and brokers trust."""
    authority = _authority(_config(config, data))
    _write(to, authority.root_der if der else authority.root_pem.encode())
    _out.print(f"{to}: SHA-256 {authority.fingerprint}")


@app.command("issue-server")
def issue_server(
    hosts: Annotated[list[str], typer.Argument(help="Names and addresses by which nodes reach the broker.")],
    to: _To = Path("tls"),
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="For so long; left out: as long as the root.")
    ] = None,
    config: _Config = None,
    data: _Data = _DATA,
) -> None:
    """Make the broker's key and certificate, with the root's and the list of revoked ones beside them."""
    found = _config(config, data)
    authority, now_ms = _authority(found), _now_ms()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.sign_server(hosts, key.public_key(), now_ms, days)
    gone = _with_registry(
        found, lambda registry: registry.transact(lambda session: records.revoked(session, now_ms))
    )
    _write_secret(to / "server.key", private_pem(key))
    _write(to / "server.crt", certificate)
    _write(to / "ca.crt", authority.root_pem.encode())
    _write(to / "crl.pem", authority.revocations(gone, now_ms))
    _out.print(
        f"{to}: server.key, server.crt, ca.crt, crl.pem for {', '.join(hosts)}, until {_last_day(certificate)}"
    )


@app.command("issue-gateway")
def issue_gateway(to: _To = Path("gateway"), config: _Config = None, data: _Data = _DATA) -> None:
    """Make a gateway's key and certificate, for a broker that it reaches by TLS."""
    found = _config(config, data)
    authority, key = _authority(found), ec.generate_private_key(ec.SECP256R1())
    identity = authority.sign(GATEWAY, key.public_key(), _now_ms())

    def keep(session: Session) -> None:
        records.keep(session, identity, _now_ms())

    _require_room(to / "gateway.key")
    _with_registry(found, lambda registry: registry.transact(keep))
    _write_secret(to / "gateway.key", private_pem(key))
    _write(to / "gateway.crt", identity.pem.encode())
    _write(to / "ca.crt", authority.root_pem.encode())
    _out.print(f"{to}: gateway.key, gateway.crt, ca.crt, until {_last_day(identity.pem.encode())}")


@app.command()
def revoke(
    node: Annotated[str, typer.Argument(help="A node that was lost or stolen; gateway_account: all gateways.")],
    who: Annotated[str, typer.Option("--who", help="Who says so.")],
    config: _Config = None,
    data: _Data = _DATA,
) -> None:
    """Revoke all certificates of a node; it can be provisioned again."""
    found = _config(config, data)
    authority = _authority(found)

    async def revoke_all(registry: Registry) -> int:
        def work(session: Session) -> tuple[int, list[tuple[str, int]]]:
            count = records.revoke(session, node, _now_ms())
            if count:
                records.step(session, node, _now_ms(), who, "revoke", f"{count} certificates")
            return count, records.revoked(session, _now_ms())

        count, gone = await registry.transact(work)
        _write(found.crl_file, authority.revocations(gone, _now_ms()))
        return count

    if not _with_registry(found, revoke_all):
        raise NotFound(f"{node} has no certificate", remedy="see GET /api/v1/nodes")
    _out.print(f"{node}: revoked in {found.crl_file}; the broker reads it when it is told to (SIGHUP).")


@app.command("issue-offline")
def issue_offline(
    count: Annotated[int, typer.Argument(min=1, max=offline.MOST_AT_ONCE, help="How many identities.")],
    to: _To = Path("identities.zip"),
    broker: Annotated[str, typer.Option("--broker", help="The broker's host, if cloud.toml names none.")] = "",
    config: _Config = None,
    data: _Data = _DATA,
) -> None:
    """Make identities in advance, for work without a link. The file holds keys: guard it."""
    found = _config(config, data)
    authority, told = _authority(found), found.provision
    if not (broker or told.broker_host):
        raise CloudError("no broker is named", remedy="say --broker HOST, or set broker_host in [provision]")
    about = {
        "broker": {
            "host": broker or told.broker_host,
            "port": told.broker_port,
            "tls": told.broker_tls,
        },
        "ntp_hosts": list(told.ntp_hosts),
    }
    _require_room(to)
    content = _with_registry(
        found, lambda registry: offline.issue(registry, authority, count, _now_ms(), about)
    )
    _write_secret(to, content)
    _out.print(f"{to}: {count} identities. Their ids are reserved for whoever holds this file.")


@app.command()
def admit(
    serial: Annotated[str, typer.Argument(help="The serial number of a device that was replaced.")],
    who: Annotated[str, typer.Option("--who", help="Who lets it in.")],
    config: _Config = None,
    data: _Data = _DATA,
) -> None:
    """Let a device in again that was replaced, and was repaired."""

    async def admit_it(registry: Registry) -> str | None:
        def work(session: Session) -> str | None:
            node = records.admit(session, serial)
            if node is not None:
                records.step(session, node, _now_ms(), who, "admit", serial)
            return node

        return await registry.transact(work)

    node = _with_registry(_config(config, data), admit_it)
    if node is None:
        raise NotFound(f"the device {serial} is not barred", remedy="provision it")
    _out.print(f"{serial}, replaced at {node}, may be provisioned again.")


def _config(path: Path | None, data: Path) -> CloudConfig:
    return load(path) if path is not None else without_file(data)


def _authority(config: CloudConfig) -> Authority:
    return Authority.open(config.authority_folder, passphrase=config.ca_passphrase)


def _with_registry(config: CloudConfig, work: Callable[[Registry], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        registry = Registry(config.registry_url)
        await registry.open()
        try:
            return await work(registry)
        finally:
            await registry.close()

    return asyncio.run(run())


def _require_room(path: Path) -> None:
    if path.exists():
        raise Conflict(f"{path} is there already: keys are never overwritten", remedy="name another --to")


def _write_secret(path: Path, content: bytes) -> None:
    """Write what only its owner may read, where nothing is yet."""
    _require_room(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, content, mode=0o600)
    except OSError as error:
        raise CloudError(f"{path}: {error.strerror}", remedy="name another place with --to") from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise CloudError(f"{path}: {error.strerror}", remedy="name another place with --to") from error


def _last_day(certificate_pem: bytes) -> str:
    return f"{x509.load_pem_x509_certificate(certificate_pem).not_valid_after_utc:%Y-%m-%d}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
