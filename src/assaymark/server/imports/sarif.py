"""SARIF 2.1.0 of any tool: read by the same reader, and given the same identity, as when a check of ours runs the tool itself.

Where the files of the subject are at hand, a result is known by its statement and scope, so that it joins with what other tools see there;
where they are not, by its rule and file alone, and the answer says so.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.checks.application.code.external_report import attribute, words
from assaymark.checks.application.code.sarif_in import NotSarifError, Report, Result, read_sarif
from assaymark.errors import UsageError
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId
from assaymark.model.identity import Seen
from assaymark.server.imports.found import Ask, Contents, Spoken, check_of, gap, tool_of

MOST_RESULTS = 500_000
_AT_ONCE = 200
"""Files whose contents are held at once."""


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
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotSarifError) as error:
        raise UsageError("this is no SARIF 2.1.0", why=str(error)[:300], advice="let the tool write SARIF 2.1.0") from error
    if not parts:
        raise UsageError("the SARIF log has no runs", advice="send the report of a run")
    seen: list[Seen] = []
    checks = {}
    without = 0
    for tool, report in parts:
        if len(report.results) > MOST_RESULTS:
            raise UsageError(f"the log has more than {MOST_RESULTS} results", advice="split it into several imports by category")
        check = check_of(tool, ask)
        checks[check] = ask.layer
        seen += [gap(check, ask.layer, path_of(trouble.path), words(trouble.text)) for trouble in report.troubles]
        found, missing = _results(tool, check, report, (ask, contents))
        seen += found
        without += missing
    note = (f"{without} results are known by rule and file alone: their files are not at hand",) if without else ()
    return Spoken(tuple(seen), checks=tuple(checks.items()), notes=note)


def _named(version: str, run: msgspec.Raw) -> tuple[str, Report]:
    name = msgspec.json.decode(run, type=_RunName)
    driver = name.tool.driver if name.tool else None
    one = b'{"version":%s,"runs":[%s]}' % (msgspec.json.encode(version), bytes(run))
    return tool_of(driver.name if driver else ""), read_sarif(one)


def path_of(text: str) -> str:
    """As the subject names it: relative, without steps upward."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(part for part in parts if part != "..")


def _results(tool: str, check: CheckId, report: Report, given: tuple[Ask, Contents]) -> tuple[list[Seen], int]:
    ask, contents = given
    by_path: dict[str, list[Result]] = {}
    for row in report.results:
        by_path.setdefault(path_of(row.path), []).append(row)
    seen: list[Seen] = []
    without = 0
    paths = sorted(by_path)
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        known = contents([path for path in some if path])
        for path in some:
            content = known.get(path)
            without += len(by_path[path]) if content is None and path else 0
            seen += _of_file(tool, check, (path, content or b""), (by_path[path], ask))
    return seen, without


def _of_file(tool: str, check: CheckId, file: tuple[str, bytes], given: tuple[list[Result], Ask]) -> list[Seen]:
    (path, content), (rows, ask) = file, given
    name = path or "none"
    one = Input(sha256(content), Dialect(name.rpartition(".")[2].lower()[:16]), (Part("", content),))
    report = Report(tuple(replace(row, path=f"assay-000000/{name}") for row in rows), (), says_finished=True)
    outcomes = attribute(tool, [one], [{name: ""}], report)
    if not isinstance(outcomes, list) or not isinstance(outcomes[0], Checked):
        return [gap(check, ask.layer, path, "its results could not be read")]
    return [Seen(sighting, check, ask.layer, one.digest, path) for sighting in outcomes[0].sightings]
