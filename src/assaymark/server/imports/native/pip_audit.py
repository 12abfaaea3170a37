"""pip-audit's JSON: with `dependencies` (2.x) and the list that came before it. It names no file: the place is the subject as a whole, or
the `requirements.txt` that is at hand.
"""

from __future__ import annotations

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.server.imports.components import Vulnerable, purl_named, seen_of
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of, gap
from assaymark.server.imports.speech import line_of

_TOOL = "pip-audit"
_FILES = ("requirements.txt",)


class _Vulnerability(Struct):
    id: str
    fix_versions: list[str] | None = None
    aliases: list[str] | None = None
    description: str | None = ""


class _Dependency(Struct):
    name: str
    version: str = ""
    vulns: list[_Vulnerability] | None = None
    skip_reason: str | None = None


class _Report(Struct):
    dependencies: list[_Dependency]


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of pip-audit's.
    """
    is_list = data.lstrip().startswith(b"[")
    packages = decoded(data, list[_Dependency], "pip-audit") if is_list else decoded(data, _Report, "pip-audit").dependencies
    bounded(sum(max(1, len(one.vulns or ())) for one in packages), "pip-audit")
    path = next(iter(world.contents(_FILES)), "")
    check = check_of(_TOOL, ask)
    rows = [_vulnerable(package, one, path) for package in packages for one in package.vulns or ()]
    seen = seen_of(check, rows, ask, world)
    gaps = [gap(check, ask.layer, path, line_of(one.skip_reason)) for one in packages if one.skip_reason]
    return Spoken((*seen, *gaps), checks=((check, ask.layer),))


def _vulnerable(package: _Dependency, one: _Vulnerability, path: str) -> Vulnerable:
    return Vulnerable(
        purl=purl_named("pypi", package.name, package.version),
        version=package.version,
        ids=tuple(dict.fromkeys([one.id, *(one.aliases or ())])),
        # It tells no severity: what nobody rated is medium, as in our advisories.
        severity=Severity.MEDIUM,
        title=one.description or "",
        path=path,
        fixed=", ".join(one.fix_versions or ()),
    )
