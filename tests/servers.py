"""Real servers for tests, started from the configuration files that users run (deploy/)."""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY = PROJECT / "deploy"
HOST = "127.0.0.1"
READY_WITHIN_S = 20.0
STOP_WITHIN_S = 20.0
POLL_EVERY_S = 0.01
FIRST_PORT, PORTS_A_PROCESS = 10_000, 1_000
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


class ServerError(AssertionError):
    """A server that a test needs could not be had, did not start or did not answer."""


def _ports() -> Iterator[int]:
    """Yield ports below those that the system gives to clients, for ever.

    A client that calls a server which is away may be given that very port, meet itself, and hold the port.
    Processes that test at the same time have ports of their own: nobody takes one that another is about to use.
    """
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    shares = (max(first_of_clients, 20_000) - FIRST_PORT) // PORTS_A_PROCESS
    first = FIRST_PORT + os.getpid() % shares * PORTS_A_PROCESS
    return itertools.cycle(random.sample(range(first, first + PORTS_A_PROCESS), PORTS_A_PROCESS))


_PORTS = _ports()


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def program(name: str) -> str:
    """Return the path of an installed program, or say how to get it."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ServerError(f"{name} is not installed; `make test` installs it")
    return path


def render(template: Path, **values: object) -> str:
    """Return a configuration file of deploy/ with its ${NAMES} filled in; a missing value is an error."""
    return Template(template.read_text(encoding="utf-8")).substitute({k: str(v) for k, v in values.items()})


class Server(ABC):
    """A child process that listens on one loopback port and keeps its data in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.host = HOST
        self.port = free_port()
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration; return the command that runs the server in the foreground."""

    @property
    def pid(self) -> int:
        """The process id; an error while the server is stopped."""
        if self._process is None:
            raise ServerError(f"{type(self).__name__} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start (again, with the same data and port) and return when it accepts connections."""
        if self.running:
            return
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "HOME": str(home)},
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{type(self).__name__} did not start:\n{self.log_tail()}")
            time.sleep(POLL_EVERY_S)

    def stop(self) -> None:
        """End it in order (SIGTERM); its data stays for the next start()."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{type(self).__name__} did not end:\n{self.log_tail()}") from None
        self._process = None

    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines the server wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Mosquitto(Server):
    """An MQTT broker. Open to anybody by default; closed, as deployed, with a dict of passwords."""

    def __init__(self, folder: Path, *, passwords: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.passwords = passwords

    @property
    def url(self) -> str:
        """The broker's address, as the gateway's configuration takes it."""
        return f"mqtt://{self.host}:{self.port}"

    def command(self) -> list[str]:
        password_file, acl_file = self.folder / "passwords", self.folder / "acl.conf"
        text = render(
            DEPLOY / "mosquitto" / "mosquitto.conf",
            MQTT_PORT=self.port,
            MQTT_BIND=self.host,
            MQTT_SYSTEM_USER="root" if os.geteuid() == 0 else "mosquitto",
            MQTT_ANONYMOUS="true" if self.passwords is None else "false",
            MQTT_PASSWORD_FILE=password_file,
            MQTT_ACL_FILE=acl_file,
            MQTT_DATA_DIR=self.folder,
            MQTT_LOG_DEST="stdout",
        )
        if self.passwords is None:  # an open broker checks neither names nor topics
            closed = ("password_file ", "acl_file ")
            text = "\n".join(line for line in text.splitlines() if not line.startswith(closed)) + "\n"
        else:
            self._write_access(password_file, acl_file)
        config = self.folder / "mosquitto.conf"
        config.write_text(text, encoding="utf-8")
        return [program("mosquitto"), "-c", str(config)]

    def _write_access(self, password_file: Path, acl_file: Path) -> None:
        shutil.copyfile(DEPLOY / "mosquitto" / "acl.conf", acl_file)
        names = "".join(f"{name}:{word}\n" for name, word in (self.passwords or {}).items())
        password_file.touch(mode=0o600)
        password_file.write_text(names, encoding="utf-8")
        subprocess.run([program("mosquitto_passwd"), "-U", str(password_file)], check=True, capture_output=True)


class TlsMosquitto(Mosquitto):
    """The deployed broker with one listener, that of tls.conf: a certificate is the name, and needed.

    `keys` holds ca.crt, server.crt, server.key and, unless `list_of_revoked` is False, crl.pem.
    """

    def __init__(
        self, folder: Path, keys: Path, *, passwords: dict[str, str] | None = None, list_of_revoked: bool = True
    ) -> None:
        super().__init__(folder, passwords=passwords)
        self.keys = keys
        self._left_out = ("listener ",) if list_of_revoked else ("listener ", "crlfile ")

    def command(self) -> list[str]:
        command = super().command()
        text = render(
            DEPLOY / "mosquitto" / "tls.conf",
            MQTT_TLS_PORT="",
            MQTT_TLS_BIND="",
            MQTT_TLS_DIR=self.keys,
            MQTT_CRL_FILE=self.keys / "crl.pem",
        )
        lines = [line for line in text.splitlines() if not line.startswith(self._left_out)]
        with (self.folder / "mosquitto.conf").open("a", encoding="utf-8") as config:
            config.write("\n".join(lines) + "\n")
        return command


class InfluxDB(Server):
    """An InfluxDB 1.x with an empty database `city`; open by default, closed, as deployed, with `password`."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        super().__init__(folder)
        self.username, self.password = ("admin" if password else ""), password

    @property
    def url(self) -> str:
        """The address of the HTTP API."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        text = render(
            DEPLOY / "influxdb" / "influxdb.conf",
            INFLUXDB_RPC_BIND=f"{self.host}:0",
            INFLUXDB_HTTP_BIND=f"{self.host}:{self.port}",
            INFLUXDB_DATA_DIR=self.folder,
            INFLUXDB_AUTH="true" if self.password else "false",
        )
        config = self.folder / "influxdb.conf"
        config.write_text(text, encoding="utf-8")
        return [program("influxd"), "run", "-config", str(config)]

    def start(self) -> None:
        """Start it and see to it that the database is there."""
        super().start()
        if self.password:
            self.query("", f"CREATE USER {self.username} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")
        self.query("", 'CREATE DATABASE "city"')

    def query(self, db: str, q: str, *, epoch: str = "ms") -> dict[str, Any]:
        """Run InfluxQL and return the answer, parsed; times are in `epoch` units."""
        form = urllib.parse.urlencode({"db": db, "q": q, "epoch": epoch}).encode()
        answer: dict[str, Any] = json.loads(self._post("/query", form))
        return answer

    def rows(self, q: str, *, db: str = "city") -> list[dict[str, Any]]:
        """Run one statement; return its rows as dicts of columns and tags, over all series."""
        (result,) = self.query(db, q)["results"]
        if "error" in result:
            raise ServerError(f"{q}: {result['error']}")
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], row, strict=True))}
            for series in result.get("series", ())
            for row in series["values"]
        ]

    def write(self, lines: str | bytes, *, db: str = "city", precision: str = "ns") -> None:
        """Write line protocol."""
        body = lines.encode() if isinstance(lines, str) else lines
        self._post(f"/write?{urllib.parse.urlencode({'db': db, 'precision': precision})}", body)

    def _post(self, path: str, body: bytes) -> bytes:
        request = urllib.request.Request(self.url + path, body)
        if self.password:
            word = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        try:
            with _HTTP.open(request, timeout=60) as reply:
                data: bytes = reply.read()
                return data
        except urllib.error.HTTPError as error:
            raise ServerError(f"POST {path}: {error.code} {error.read().decode()}") from None


class VictoriaMetrics(Server):
    """A VictoriaMetrics that keeps a month; `retention_months` for more."""

    def __init__(self, folder: Path, *, retention_months: int = 1) -> None:
        super().__init__(folder)
        self.retention_months = retention_months

    @property
    def url(self) -> str:
        """The address of the HTTP API."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        return [
            program("victoria-metrics"),
            f"-storageDataPath={self.folder / 'data'}",
            f"-httpListenAddr={self.host}:{self.port}",
            f"-retentionPeriod={self.retention_months}",
            "-dedup.minScrapeInterval=1ms",  # a line written again is one line
            "-memory.allowedPercent=5",
        ]

    def export(self, name: str) -> list[tuple[int, float]]:
        """Return (time in ms, value) of all series of a name, in the order of time."""
        self._get("/internal/force_flush")
        found = []
        for line in self._get(f"/api/v1/export?match[]={name}").splitlines():
            series = json.loads(line)
            found += zip(series["timestamps"], series["values"], strict=True)
        return sorted(found)

    def _get(self, path: str) -> str:
        with _HTTP.open(self.url + path, timeout=60) as reply:
            return str(reply.read().decode())


class PostgreSQL(Server):
    """A PostgreSQL that trusts loopback. It refuses to run as root, so root runs it as the user `postgres`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's folders are closed to other users
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres", "postgres")

    @property
    def url(self) -> str:
        """The address of its first database, as cloud.toml takes it."""
        return f"postgresql+psycopg://postgres@{self.host}:{self.port}/postgres"

    def database(self) -> str:
        """Make an empty database; return its address."""
        name = f"city_{uuid.uuid4().hex}"
        where = ["-h", self.host, "-p", str(self.port), "-U", "postgres"]
        subprocess.run([self._tool("createdb"), *where, name], check=True, capture_output=True)
        return f"{self.url.rpartition('/')[0]}/{name}"

    def command(self) -> list[str]:
        if not (self.data / "PG_VERSION").exists():
            make = [self._tool("initdb"), "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--no-sync"]
            subprocess.run(self._as_its_user(make), check=True, capture_output=True, cwd=self.data)
        options = {"listen_addresses": self.host, "unix_socket_directories": "", "fsync": "off"}
        settings = [f"--{name}={value}" for name, value in options.items()]
        return self._as_its_user(
            [self._tool("postgres"), "-D", str(self.data), "-p", str(self.port), *settings]
        )

    def kill(self) -> None:
        """End it at once, and remove its data."""
        super().kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def _accepts(self) -> bool:
        where = ["-h", self.host, "-p", str(self.port), "-U", "postgres"]
        return subprocess.run([self._tool("pg_isready"), *where], capture_output=True).returncode == 0

    def _tool(self, name: str) -> str:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else program(name)

    def _as_its_user(self, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        return [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
