"""Reads the documentation as a test does: headings, links, and fenced blocks with what they ask for.

A block opened by ``console`` is run: lines that begin with ``$ `` by a shell in a copy of the sample repository, in order; the exit code is
the one after a trailing ``# exit N``, else 0; lines below a command must occur in its output, in order, ``…`` standing for anything.
A block opened by ``<language> file=<path>`` is written to that path first, ``append=<path>`` is added to it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)\s*$")
_INLINE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)[^>]* (?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)


class Block(Struct, frozen=True):
    """A fenced block."""

    info: str
    text: str
    line: int


class Command(Struct, frozen=True):
    """One ``$`` line with what must come of it."""

    words: str
    code: int
    says: tuple[str, ...]


class Workshop(Struct, frozen=True):
    """The sample that pages copy, and the environment in which they run."""

    sample: Path
    environment: dict[str, str]

    def copy(self, folder: Path) -> Path:
        """A fresh copy of the sample."""
        shutil.copytree(self.sample, folder / "harbour")
        return folder / "harbour"

    def run(self, words: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run one line as a reader's shell would."""
        return subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    for match in _FENCE.finditer(text):
        yield Block(match[1].strip(), match[2], text.count("\n", 0, match.start()) + 1)


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            asked = _EXIT.search(line)
            found.append(Command(_EXIT.sub("", line[2:]), int(asked[1]) if asked else 0, ()))
        elif line.strip():
            assert found, f"line {block.line}: output before the first command"
            last = found[-1]
            found[-1] = Command(last.words, last.code, (*last.says, line.strip()))
    return found


def missing(expected: tuple[str, ...], output: str) -> str:
    """The first expected line that the output does not hold after the ones before it; empty when all are there."""
    at = 0
    for line in expected:
        pattern = ".*?".join(r"\s+".join(map(re.escape, part.split())) for part in re.split(r"\s*…\s*", line))
        match = re.compile(pattern).search(output, at)
        if match is None:
            return line
        at = match.end()
    return ""


def prose(text: str) -> str:
    """A page without its fenced blocks and code spans."""
    return _INLINE.sub("", _FENCE.sub("", text))


def links(text: str) -> list[str]:
    """Targets of all links and pictures outside of code."""
    return [one or other for one, other in _LINK.findall(prose(text))]


def anchors(text: str) -> set[str]:
    """Names under which a forge offers a page's headings."""
    headings = (match[2] for match in _HEADING.finditer(_FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def sections(text: str) -> dict[str, str]:
    """Heading (without backticks) to the text below it, up to the next heading of any depth."""
    text = _FENCE.sub("", text)
    matches = list(_HEADING.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)]
    return {match[2].replace("`", "").strip(): text[match.end() : end] for match, end in zip(matches, ends, strict=True)}
