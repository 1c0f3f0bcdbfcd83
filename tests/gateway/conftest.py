"""What several tests of the gateway stand on."""

import subprocess
from pathlib import Path

import pytest
from servers import program


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, signed by itself, with its key in the same file."""
    path = tmp_path / "broker.pem"
    command = f"{program('openssl')} req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2"
    names = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path
