"""A certificate of 127.0.0.1, made by openssl on the spot, that nobody but its own file vouches for."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from servers import program


class Certificate:
    """`file` is what a client is to trust; `context` is what a server shows."""

    def __init__(self, folder: Path) -> None:
        self.file, key = folder / "server.crt", folder / "server.key"
        command = f"{program('openssl')} req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2"
        names = ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(
            [*command.split(), *names, "-keyout", str(key), "-out", str(self.file)],
            check=True,
            capture_output=True,
        )
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file, key)
