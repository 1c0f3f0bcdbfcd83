"""Messages, secrets in files, and a certificate, for the tests of channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from channels_peers.certificates import Certificate

from edge.channels import Message, Occasion
from edge.model.alert import Level

NOW_S = 1_780_918_920.25


@pytest.fixture
def message() -> Message:
    """An orange alert."""
    return Message(
        key="river_stage/ys-07/1780918260000/opened/orange",
        occasion=Occasion.OPENED,
        level=Level.ORANGE,
        title="✦【橙色预警】杨浦港水位站：水位 3.12 m，超保证水位 3.00 m，自 19:31 起",
        lines=("规则：河道水位",),
        url="https://wall.example/alerts/7",
        time_ms=int(NOW_S * 1000),
        facts={"episode": {"node": "ys-07"}},
    )


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a secret into a file that only its owner reads; return the path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    return write


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A server's certificate, trusted by whoever is given its file."""
    return Certificate(tmp_path_factory.mktemp("tls"))
