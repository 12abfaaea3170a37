"""Whole answers per reader group. A sample holds marks like ``«password:1»`` for values that are made when the test runs.

The golden file is what the check says of it; ``ASSAYMARK_UPDATE_GOLDEN=1`` writes it anew; look at the difference.
"""

from __future__ import annotations

import base64
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assaymark.checks.application.secrets.validation import luhn
from assaymark.model.finding import SecretSite, Sighting

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.in"))
MARK = re.compile("«(?:(?P<kind>[a-z]+?)(?P<size>[0-9]*):(?P<number>[0-9]+))?»")


def value(mark: re.Match[str], maker: Any) -> str:
    """The value of a mark: the same mark is the same value everywhere. An empty mark parts what must not stand together in a file."""
    kind = mark.group("kind")
    if kind is None:
        return ""
    maker.random = random.Random(mark.group())
    if kind == "word":
        return str(maker.word(int(mark.group("size"))))
    if kind == "der":
        body = b"\x30\x82" + (300).to_bytes(2, "big") + maker.random.randbytes(300)
        text = base64.b64encode(body)
        head, tail = b"-----BEGIN RSA PRIVATE " + b"KEY-----\n", b"\n-----END RSA PRIVATE " + b"KEY-----\n"
        return (base64.b64encode(head + text + tail) if mark.group("size") else text).decode()
    if kind == "card":
        digits = "45" + maker.word(13, "0123456789")
        return str(next(digits + last for last in "0123456789" if luhn(digits + last)))
    return str(getattr(maker, kind)())


def told(found: Sighting) -> str:
    assert isinstance(found.site, SecretSite)
    assert found.span is not None
    span = found.span
    facts = "".join(f" {name}={text}" for name, text in found.notes)
    place = f"{span.start_line}:{span.start_column}-{span.end_line}:{span.end_column}"
    asked = f" suppressed by {found.suppression.marker!r}" if found.suppression else ""
    return (
        f"{place} {found.rule} {found.severity}/{found.confidence} {found.site.value_hmac[:12]}{facts}{asked}\n    {found.site.context}\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_answer_is_the_golden_one(name: str, scan: Callable[..., tuple[Sighting, ...]], maker: Any) -> None:
    made: list[str] = []

    def fill(mark: re.Match[str]) -> str:
        made.append(value(mark, maker))
        return made[-1]

    text = MARK.sub(fill, (GOLDEN / f"{name}.in").read_text("utf-8"))
    answer = "".join(told(found) for found in scan(text, name))
    assert not any(secret in answer for secret in made if len(secret) > 8)
    golden = GOLDEN / f"{name}.out"
    if os.environ.get("ASSAYMARK_UPDATE_GOLDEN"):
        golden.write_text(answer, "utf-8", newline="\n")
    assert answer == golden.read_text("utf-8")


def test_every_reader_and_group_has_a_golden_file() -> None:
    readers = {"json", "tfstate", "docker-config", "yaml", "kubeconfig", "xml", "dotenv", "properties", "netrc", "pgpass", "htpasswd"}
    assert set(NAMES) == readers | {"code", "config", "text", "shell", "lock"}
    assert {path.stem for path in GOLDEN.glob("*.out")} == set(NAMES)
