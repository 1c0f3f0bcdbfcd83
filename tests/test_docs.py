"""The documents agree with the project: links lead somewhere, commands exist, both languages say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import servers
import typer

import cityneuron

PROJECT = servers.PROJECT
IGNORED = {".venv", ".cache", ".git", "node_modules", ".pytest_cache"}
DOCUMENTS = sorted(
    path
    for path in PROJECT.rglob("*.md")
    if not IGNORED & set(path.relative_to(PROJECT).parts)
    and not path.name.endswith(".template.md")  # its links are those of the page that is made of it
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|<img[^>]+src=\"([^\"]+)\"")
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = re.compile(
    r"(?:^|(?<!-[ogu])[\s;&|(]|\.venv/bin/)cityneuron((?:[ \t]+[^\s`;&|()#>]+)*)", re.MULTILINE
)
MAKE = re.compile(
    r"(?:^|[\s;&(])make((?:[ \t]+(?:[a-z][a-z-]*|[A-Z]+=(?:\"[^\"]*\"|\S*)))+)(?=$|[\s;&#|)])", re.MULTILINE
)


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def code(document: Path) -> str:
    """All that a document sets as code, a piece a line."""
    text = document.read_text(encoding="utf-8")
    return "\n".join(block or span for block, span in CODE.findall(text))


def anchors(document: Path) -> set[str]:
    """The fragments that headings of a Markdown file get."""
    titles = re.findall(r"^#+ +(.+?)\s*#*$", document.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def links(document: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for in_markdown, in_html in LINK.findall(text):
        target = in_markdown or in_html
        if not re.match(r"[a-z]+:", target):
            yield unquote(target)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def unknown(words: list[str]) -> str | None:
    """Walk `cityneuron WORDS...` down the real command line; return the first word that it does not know."""
    command: Any = typer.main.get_command(cityneuron.app)
    options = {"--help", "--install-completion", "--show-completion"}
    for word in words:
        if word.startswith("-"):
            known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in known | options:
                return word
        elif hasattr(command, "get_command"):
            found = command.get_command(command.make_context("cityneuron", [], resilient_parsing=True), word)
            if found is None:
                return None if re.fullmatch(r"[A-Z…. \[\]-]+|\.\.\.", word) else word
            command = found
    return None


def test_there_are_documents() -> None:
    assert {"README.md", "CHANGELOG.md", "deploy/README.md"} <= {name_of(path) for path in DOCUMENTS}
    assert "Version 2.0, January 2004" in (PROJECT / "LICENSE").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in links(document):
        path_text, _, fragment = target.partition("#")
        path = (document.parent / path_text).resolve() if path_text else document
        assert path.exists(), f"{name_of(document)}: {target}"
        assert path.is_relative_to(PROJECT), f"{name_of(document)}: {target} leaves the project"
        if fragment and path.suffix == ".md":
            assert fragment in anchors(path), f"{name_of(document)}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    known = make_targets()
    for words in MAKE.findall(code(document)):
        for word in re.sub(r'[A-Z]+=("[^"]*"|\S*)', "", words).split():
            assert word in known, f"{name_of(document)}: make {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_that_is_named_exists_with_its_options(document: Path) -> None:
    for words in COMMAND.findall(code(document)):
        assert unknown(words.split()) is None, f"{name_of(document)}: cityneuron{words}"


def test_the_check_notices_what_does_not_exist() -> None:
    assert unknown(["dashboards", "build", "--check"]) is None
    assert unknown(["dashboards", "paint"]) == "paint"
    assert unknown(["dashboards", "build", "--fast"]) == "--fast"
    assert MAKE.findall('\nmake run ARGS="--port 1" && make test') == [' run ARGS="--port 1"', " test"]
    assert COMMAND.findall("`.venv/bin/cityneuron up --for 60`") == [" up --for 60"]


def test_every_make_target_has_a_line_of_help_and_is_no_file() -> None:
    text = (PROJECT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert set(phony.split()) == make_targets()
    helped = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert helped == make_targets() - {"setup-run"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_chinese_document_stands_beside_an_english_one_and_each_leads_to_the_other(document: Path) -> None:
    if document.name.endswith(".zh-CN.md"):
        other = document.with_name(document.name.removesuffix(".zh-CN.md") + ".md")
        assert other.exists(), f"{name_of(document)} has no English original"
        assert document.name in set(links(other)), f"{name_of(other)} does not lead to its Chinese version"
        assert other.name in set(links(document)), f"{name_of(document)} does not lead to its English version"
