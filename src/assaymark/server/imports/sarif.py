"""SARIF 2.1.0 of any tool: read by the same reader, and given the same identity, as when a check of ours runs the tool itself.

How a result gets its place and its identity: `code`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assaymark.checks.application.code.external_report import words
from assaymark.checks.application.code.sarif_in import NotSarifError, Report, read_sarif
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.identity import Seen
from assaymark.server.imports.code import Source, located
from assaymark.server.imports.found import Ask, Contents, Spoken, check_of, gap, tool_of
from assaymark.server.imports.places import path_of

MOST_RESULTS = 500_000


class _Driver(Struct):
    name: str = ""


class _Tool(Struct):
    driver: _Driver | None = None


class _RunName(Struct):
    tool: _Tool | None = None


class _Log(Struct):
    version: str
    runs: list[msgspec.Raw] | None = None


def read(data: bytes, ask: Ask, contents: Contents) -> Spoken:
    """What the log says, each run for its own tool.

    Raises:
        UsageError: when it is no SARIF 2.1.0.
    """
    try:
        log = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Log)
        parts = [_named(log.version, run) for run in log.runs or ()]
    except (*UNDECODABLE, NotSarifError) as error:
        raise UsageError("this is no SARIF 2.1.0", why=str(error)[:300], advice="let the tool write SARIF 2.1.0") from error
    if not parts:
        raise UsageError("the SARIF log has no runs", advice="send the report of a run")
    seen: list[Seen] = []
    checks = {}
    notes: tuple[str, ...] = ()
    for tool, report in parts:
        if len(report.results) > MOST_RESULTS:
            raise UsageError(f"the log has more than {MOST_RESULTS} results", advice="split it into several imports by category")
        check = check_of(tool, ask)
        checks[check] = ask.layer
        seen += [gap(check, ask.layer, path_of(trouble.path), words(trouble.text)) for trouble in report.troubles]
        found, said = located(Source(tool, check, ask, contents), report.results)
        seen += found
        notes += said
    return Spoken(tuple(seen), checks=tuple(checks.items()), notes=notes)


def _named(version: str, run: msgspec.Raw) -> tuple[str, Report]:
    name = msgspec.json.decode(run, type=_RunName)
    driver = name.tool.driver if name.tool else None
    one = b'{"version":%s,"runs":[%s]}' % (msgspec.json.encode(version), bytes(run))
    return tool_of(driver.name if driver else ""), read_sarif(one)
