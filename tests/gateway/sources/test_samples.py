"""The samples of the protocols' pages are read as they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import servers

from gateway.sources.config import read_sources

PAGES = sorted((servers.PROJECT / "docs" / "protocols").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_samples_of_a_page_make_sources(page: Path) -> None:
    samples = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    whole = [sample for sample in samples if "[[source]]" in sample]
    assert whole
    for sample in whole:
        assert read_sources(tomllib.loads(sample)["source"], page.name)
