"""OpenVEX (specification 0.2.0): statements that a component's vulnerability does not affect the product. Pure: today is an argument.

A statement is somebody's word, like a waiver: it names the vulnerability by any id of its alias group and the component by package URL
(as product or subcomponent), it has an author, and it holds for as long as a waiver may last, from its own date on. The newest statement
about a finding counts; ``affected`` and ``under_investigation`` let nothing through. Where the policy asks for an approver, a document
cannot name one, so it is shown and not honoured.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.errors import PolicyInvalid
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.component_notes import advisories_of, package_of, versions_of
from assaymark.model.finding import Finding
from assaymark.model.verdict import WaiverRef
from assaymark.verdict.policy import Gate

_CONTEXT = "https://openvex.dev/ns"
_MOST_STATEMENTS = 100_000


class Status(StrEnum):
    """What a statement says."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


LETS_THROUGH = frozenset({Status.NOT_AFFECTED, Status.FIXED})


class Statement(Struct, frozen=True, order=True):
    """One statement."""

    at: dt.date
    vulnerabilities: tuple[str, ...]
    products: tuple[tuple[str, str], ...]
    """(package URL without version, version or nothing) of everything that it names."""
    status: Status
    said: str
    """Justification, impact, action or notes, as written."""
    author: str


class _Named(Struct, frozen=True):
    id: str = msgspec.field(name="@id", default="")
    name: str = ""
    aliases: tuple[str, ...] = ()


class _Product(Struct, frozen=True):
    id: str = msgspec.field(name="@id", default="")
    identifiers: dict[str, str] = {}
    subcomponents: tuple[Any, ...] = ()


class _Row(Struct, frozen=True):
    vulnerability: _Named | str
    status: Status
    products: tuple[Any, ...] = ()
    subcomponents: tuple[Any, ...] = ()
    timestamp: str = ""
    last_updated: str = ""
    justification: str = ""
    impact_statement: str = ""
    action_statement: str = ""
    status_notes: str = ""


class _Document(Struct, frozen=True):
    context: str = msgspec.field(name="@context")
    statements: tuple[_Row, ...]
    author: str = ""
    timestamp: str = ""
    last_updated: str = ""


def parse_vex(data: bytes, name: str) -> tuple[Statement, ...]:
    """The statements of a document.

    Raises:
        PolicyInvalid: when it is no OpenVEX, or a statement lacks what the specification asks for.
    """
    advice = "see https://github.com/openvex/spec; `assay vex` writes one"
    try:
        document = msgspec.json.decode(data, type=_Document)
    except UNDECODABLE as error:
        raise PolicyInvalid(f"{name} is no OpenVEX document", why=str(error), advice=advice) from error
    if not document.context.startswith(_CONTEXT) or len(document.statements) > _MOST_STATEMENTS:
        raise PolicyInvalid(f"{name} is no OpenVEX document", why=f"its @context is {document.context[:80]!r}", advice=advice)
    found: list[Statement] = []
    for number, row in enumerate(document.statements, 1):
        try:
            found.append(_statement(row, document))
        except (ValueError, msgspec.ValidationError) as error:
            raise PolicyInvalid(f"{name}: statement {number} is not valid", why=str(error), advice=advice) from error
    return tuple(found)


def _statement(row: _Row, document: _Document) -> Statement:
    named = row.vulnerability if isinstance(row.vulnerability, _Named) else _Named(name=row.vulnerability)
    ids = tuple(dict.fromkeys(each for each in (named.name, named.id.rpartition("/")[2], *named.aliases) if each))
    said = " ".join(f"{row.justification} {row.impact_statement} {row.action_statement} {row.status_notes}".split())
    if not ids:
        raise ValueError("it names no vulnerability")
    if row.status is Status.NOT_AFFECTED and not (row.justification or row.impact_statement):
        raise ValueError("not_affected needs a justification or an impact_statement")
    when = row.last_updated or row.timestamp or document.last_updated or document.timestamp
    if not when:
        raise ValueError("neither it nor the document has a timestamp")
    if not document.author.strip():
        raise ValueError("the document has no author")
    products = tuple(sorted({purl for each in (*row.products, *row.subcomponents) for purl in _purls(each)}))
    return Statement(dt.date.fromisoformat(when[:10]), ids, products, row.status, said, document.author)


def _purls(each: object) -> Iterable[tuple[str, str]]:
    product = _Product(id=each) if isinstance(each, str) else msgspec.convert(each, _Product)
    for text in (product.id, product.identifiers.get("purl", "")):
        if text.startswith("pkg:"):
            yield split_purl(text)
    for inner in product.subcomponents:
        yield from _purls(inner)


def split_purl(text: str) -> tuple[str, str]:
    """(package URL without version, qualifiers and subpath; version), both without percent-encoding."""
    from urllib.parse import unquote  # noqa: PLC0415 - few changes meet a package

    bare = text.partition("?")[0].partition("#")[0]
    slash, at = bare.rfind("/"), bare.rfind("@")
    name, version = (bare[:at], bare[at + 1 :]) if at > slash else (bare, "")
    return _folded(unquote(name)), unquote(version)


_FOLD = ("pkg:apk/", "pkg:composer/", "pkg:deb/", "pkg:github/", "pkg:golang/", "pkg:hex/", "pkg:pypi/")
"""Types whose names are lower-case by the purl specification."""


def _folded(name: str) -> str:
    lower = name.lower()
    if not lower.startswith(_FOLD):
        return name
    return lower.replace("_", "-") if lower.startswith("pkg:pypi/") else lower


def covers(statement: Statement, finding: Finding) -> bool:
    """Whether the statement is about this finding, at every version that is there."""
    package, _ = split_purl(package_of(finding))
    if not package or not set(statement.vulnerabilities) & set(advisories_of(finding)):
        return False
    versions = {version for name, version in statement.products if name == package}
    return bool(versions) and ("" in versions or set(versions_of(finding)) <= versions)


class Word(Struct, frozen=True):
    """What the statements are worth today."""

    honoured: tuple[Statement, ...]
    notices: tuple[str, ...]


def weigh(statements: Sequence[Statement], gate: Gate, today: dt.date) -> Word:
    """Sort statements into those that can let something through and those that cannot, with the reason."""
    kept: list[Statement] = []
    notices: list[str] = []
    for one in statements:
        name = f"VEX statement about {one.vulnerabilities[0]} ({one.author}, {one.at})"
        if one.status not in LETS_THROUGH:
            kept.append(one)  # it may take back an older one
        elif gate.approver_required:
            notices.append(f"{name} is not honoured: the policy asks for an approver; record it with `assay waive --approver`")
        elif one.at > today:
            notices.append(f"{name} is not honoured: its date is to come")
        elif (today - one.at).days > gate.max_waiver_days:
            notices.append(f"{name} is older than {gate.max_waiver_days} days: look again and renew its timestamp")
        else:
            kept.append(one)
    return Word(tuple(kept), tuple(notices))


def let_through(finding: Finding, honoured: Sequence[Statement], gate: Gate) -> WaiverRef | None:
    """The statement that lets the finding through, if the newest one about it does."""
    about = [one for one in honoured if covers(one, finding)]
    newest = max(about, key=lambda one: (one.at, one.status not in LETS_THROUGH), default=None)
    if newest is None or newest.status not in LETS_THROUGH:
        return None
    until = newest.at + dt.timedelta(days=gate.max_waiver_days)
    return WaiverRef("vex", f"{newest.status}: {newest.said}".rstrip(": "), newest.author, until.isoformat())


def added(base: Sequence[Statement], head: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements of head that let something through and that base did not have."""
    known = set(base)
    return tuple(one for one in head if one.status in LETS_THROUGH and one not in known)
