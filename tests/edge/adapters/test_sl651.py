"""SL 651-2014: the vectors, what is cut or bent, and what the centre answers byte for byte."""

from __future__ import annotations

from pathlib import Path

import conformance


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "sl651")) == []
