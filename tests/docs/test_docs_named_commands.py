"""A command, and an option of it, that a message, a page or a document names is one that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from assaymark.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"(?:`|^|\$ )assay ([a-z][a-z-]*)([^`\n#|;&]*)", re.MULTILINE)


def named() -> list[tuple[str, str, list[str]]]:
    """(where, name, words behind it)"""
    places = [*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.html"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    found = ((path, match) for path in places for match in _NAMED.finditer(path.read_text("utf-8")))
    return [(f"{match[0]} in {path.relative_to(ROOT)}", match[1], match[2].split()) for path, match in found]


def test_every_command_that_is_named_is_there() -> None:
    assert len(named()) > 600
    assert {where for where, name, words in named() for wrong in _wrong(name, words) if not wrong.startswith("-")} == set()


def test_every_option_that_is_named_is_one_of_its_command() -> None:
    assert {(where, wrong) for where, name, words in named() for wrong in _wrong(name, words) if wrong.startswith("-")} == set()


def _wrong(name: str, words: list[str]) -> Iterator[str]:
    if name not in COMMANDS:
        yield name
        return
    command: click.Command = import_module(f"assaymark.cli.{COMMANDS[name][0]}").command
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        if words[0] not in command.commands:
            yield words[0]
            return
        command, words = command.commands[words[0]], words[1:]
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    given = (re.match(r"--[a-z][a-z-]*", word) for word in words)
    yield from (option[0] for option in given if option is not None and option[0] not in options)
