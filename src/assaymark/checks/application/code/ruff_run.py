"""The work of the ruff check: text, process, report, sightings. See `ruff` for what is guaranteed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assaymark.checks.application.code import ruff_ready
from assaymark.checks.application.code.process import Ran, run_bounded
from assaymark.checks.application.code.source import plain, python_text
from assaymark.errors import EngineMissing
from assaymark.model import rules
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked
from assaymark.model.digest import Digest
from assaymark.model.finding import Fix, RuleId, Sighting, Span
from assaymark.model.severity import Confidence, Severity

if TYPE_CHECKING:
    from assaymark.checks.application.code.suppressions import Suppressions
    from assaymark.model.scope import Locator

SECONDS = 60.0
"""For one process. Ruff reads tens of megabytes a second, so only a file made for it takes longer."""
LONGEST_REPORT = 256 << 20
"""Bytes of JSON; about 600 for each sighting."""

_ADVICE = f"{__file__.rpartition('/')[0]}/ruff_advice.toml"
_SHEBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![^\r\n]*(?:python|pypy|\buv run\b)", re.IGNORECASE)


class _Position(Struct):
    row: int
    column: int


class _Diagnostic(Struct):
    code: str | None
    filename: str
    message: str
    location: _Position
    end_location: _Position


class _Milder(Struct, frozen=True, forbid_unknown_fields=True):
    words: str
    severity: Severity
    confidence: Confidence


class Advice(Struct, frozen=True, forbid_unknown_fields=True):
    """What our own data adds to a rule."""

    advice: str
    milder: tuple[_Milder, ...] = ()


class _Source(Struct):
    """An input whose bytes are text."""

    digest: Digest
    dialect: Dialect
    text: str


_report = msgspec.json.Decoder(list[_Diagnostic])


@cache
def advice() -> dict[str, Advice]:
    """Our advice by ruff code."""
    with open(_ADVICE, "rb") as file:  # noqa: PTH123 - pathlib costs a hook a millisecond
        return msgspec.toml.decode(file.read(), type=dict[str, Advice])


def run(command: tuple[str, ...], inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
    """One outcome per input; `command` is ruff with its options."""
    sources: list[_Source] = []
    for given in inputs:
        if given.dialect == "script" and not _SHEBANG.match(given.content[:256]):
            yield given.digest, Checked(skipped="other-language")
            continue
        text = python_text(given.content)
        if isinstance(text, Unchecked):
            yield given.digest, text
        else:
            sources.append(_Source(given.digest, given.dialect, text))
    left: list[_Source] = []
    for source, diagnostics in zip(sources, _from_ready(command, sources), strict=True):
        if diagnostics is None:
            left.append(source)
        else:
            yield source.digest, _outcome(source, diagnostics)
    if left:
        yield from _batch(command, left)


def _from_ready(command: tuple[str, ...], sources: list[_Source]) -> list[list[_Diagnostic] | None]:
    """What ruffs that were waiting say; None where none was, or where it gave no whole report."""
    texts = [source.text.encode("utf-8") for source in sources if source.dialect != "stub"]
    given = iter(ruff_ready.reports(command, texts, SECONDS))
    return [_decoded(next(given)) if source.dialect != "stub" else None for source in sources]


def _decoded(report: bytes | None) -> list[_Diagnostic] | None:
    try:
        return _report.decode(report) if report is not None else None
    except msgspec.DecodeError:
        return None


def _batch(command: tuple[str, ...], sources: list[_Source]) -> Iterator[tuple[Digest, Outcome]]:
    ran = _ruff(command, sources)
    diagnostics = _read(ran)
    if diagnostics is not None:
        for at, source in enumerate(sources):
            yield source.digest, _outcome(source, diagnostics.get(at, []))
    elif len(sources) == 1:
        yield sources[0].digest, _failed(ran)
    else:
        middle = len(sources) // 2
        yield from _batch(command, sources[:middle])
        yield from _batch(command, sources[middle:])


def _ruff(command: tuple[str, ...], sources: list[_Source]) -> Ran:
    with _scratch() as folder:
        names = [f"{at}.pyi" if source.dialect == "stub" else f"{at}.py" for at, source in enumerate(sources)]
        for name, source in zip(names, sources, strict=True):
            with open(f"{folder}/{name}", "xb") as file:  # noqa: PTH123
                file.write(source.text.encode("utf-8"))
        try:
            return run_bounded((*command, *names), folder=folder, seconds=SECONDS, limit=LONGEST_REPORT)
        except OSError as refused:
            raise EngineMissing("ruff cannot be started", why=str(refused), advice="Reinstall ruff beside Assaymark.") from refused


@contextmanager
def _scratch() -> Iterator[str]:
    """A private folder of a name that nobody can guess, gone afterwards; `tempfile` costs as much as the rest of the imports here."""
    folder = f"{os.environ.get('TMPDIR') or '/tmp'}/assay-ruff-{os.urandom(12).hex()}"  # noqa: S108 - as `tempfile` would
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
    except OSError:
        import tempfile  # noqa: PLC0415 - it knows more places

        folder = tempfile.mkdtemp(prefix="assay-ruff-")
    try:
        yield os.path.abspath(folder)  # noqa: PTH100
    finally:
        _remove(folder)


def _remove(folder: str) -> None:
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106
        return
    import shutil  # noqa: PLC0415 - something else has come into it

    shutil.rmtree(folder, ignore_errors=True)


def _read(ran: Ran) -> dict[int, list[_Diagnostic]] | None:
    """Diagnostics by the number in the file's name; None when ruff did not finish."""
    if ran.trouble or ran.code not in (0, 1):
        return None
    diagnostics = _decoded(ran.output)
    if diagnostics is None:
        return None
    by_file: dict[int, list[_Diagnostic]] = {}
    for diagnostic in diagnostics:
        number = diagnostic.filename.replace("\\", "/").rpartition("/")[2].partition(".")[0]
        by_file.setdefault(int(number), []).append(diagnostic)
    return by_file


def _failed(ran: Ran) -> Unchecked:
    match ran.trouble:
        case "timeout":
            return Unchecked("timeout", f"Ruff did not finish this file within {SECONDS:.0f} seconds; look at it by hand or exclude it.")
        case "output":
            return Unchecked("size", "Ruff reports more about this file than can be kept; look at it by hand or exclude it.")
    why = f"was killed by signal {-ran.code}" if ran.code < 0 else f"ended with code {ran.code}"
    return Unchecked("engine-failed", f"Ruff {why} on this file, often because of very deep nesting; simplify or exclude it.")


def _outcome(source: _Source, diagnostics: list[_Diagnostic]) -> Outcome:
    if not diagnostics:
        return Checked()
    from assaymark.checks.application.code.suppressions import Suppressions  # noqa: PLC0415 - most files have no finding
    from assaymark.model.scope import locator  # noqa: PLC0415

    where = locator(source.text, source.dialect)
    for diagnostic in diagnostics:
        if diagnostic.code not in (None, "invalid-syntax") and not str(diagnostic.code).startswith("S"):
            return Unchecked("engine-failed", f"Ruff could not read this file: {plain(diagnostic.message)}.", diagnostic.location.row)
    broken = [d for d in diagnostics if d.code in (None, "invalid-syntax")]
    if broken and not where.parsed:
        first = min(broken, key=lambda d: (d.location.row, d.location.column))
        return Unchecked("syntax", f"Line {first.location.row} is not Python: {plain(first.message)}.", first.location.row)
    comments = Suppressions(source.text, is_python=True)
    rows = sorted((d for d in diagnostics if d not in broken), key=lambda d: (d.location.row, d.location.column, d.code or ""))
    return Checked(tuple(_sighting(row, where, comments) for row in rows))


def _sighting(row: _Diagnostic, where: Locator, comments: Suppressions) -> Sighting:
    code = row.code or ""
    rule = RuleId(f"ruff/{code}")
    known = rules.catalogue().describe(rule)
    severity, confidence = known.severity, known.confidence
    extra = advice().get(code)
    for milder in extra.milder if extra else ():
        if milder.words in row.message:
            severity, confidence = milder.severity, milder.confidence
    located = where.locate(row.location.row, row.end_location.row, column=row.location.column)
    return Sighting(
        rule=rule,
        site=located.site,
        severity=severity,
        message=plain(row.message),
        span=Span(row.location.row, row.location.column, row.end_location.row, row.end_location.column),
        confidence=confidence,
        fix=Fix(extra.advice) if extra else None,
        suppression=comments.find({code, *known.aliases}, located.first_line, located.last_line),
    )
