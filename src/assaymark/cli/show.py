"""From a verdict to a terminal or a file: which format, how wide, in colour or not."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from assaymark.errors import UsageError
from assaymark.model.verdict import Outcome, Verdict
from assaymark.views.formats import renderer
from assaymark.views.history import HistoryPoint
from assaymark.views.options import Options
from assaymark.views.style import Style

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNPROVEN: 5}


def wants_colour(stream: TextIO, env: Mapping[str, str] = os.environ) -> bool:
    """By the conventions of NO_COLOR and FORCE_COLOR, else only on a terminal."""
    if env.get("NO_COLOR"):
        return False
    return bool(env.get("FORCE_COLOR")) or (stream.isatty() and env.get("TERM") != "dumb")


def is_ascii(stream: TextIO) -> bool:
    """True when the stream cannot take more than ASCII."""
    try:
        "–·▁".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def style_for(stream: TextIO) -> Style:
    return Style(colour=wants_colour(stream), ascii=is_ascii(stream), width=width())


def width() -> int:
    return min(120, max(60, shutil.get_terminal_size((100, 24)).columns))


def options(*, verbose: bool = False, category: str = "assaymark", project: str = "", history: tuple[HistoryPoint, ...] = ()) -> Options:
    """Options for reports that are written now."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Options(
        width=width(),
        colour=wants_colour(sys.stdout),
        ascii=is_ascii(sys.stdout),
        verbose=verbose,
        category=category,
        project=project,
        started=now,
        finished=now,
        history=history,
    )


def write_report(verdict: Verdict, spec: str, given: Options) -> None:
    """Write ``format=file``.

    Raises:
        UsageError: when the form is wrong or the file cannot be written.
    """
    name, equals, target = spec.partition("=")
    if not (equals and target):
        raise UsageError(f"--report {spec!r} names no file", advice="write it as --report sarif=assay.sarif")
    text = renderer(name)(verdict, given)
    try:
        Path(target).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"{target} cannot be written", why=error.strerror or str(error)) from error


def emit(text: str) -> None:
    """Print text that may hold anything, on a terminal of any encoding."""
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    sys.stdout.flush()
