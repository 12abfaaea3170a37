"""DefectDojo: pages of its API (`GET /api/v2/<list>/`), findings with `related_fields=true` or with the lists beside them, and what
`dumpdata` writes. Product types become teams, products subjects, findings those of their tool; accepted risks and false positives
decisions.

Guarantees: files may come in any order and any number; what refers to something that no file holds is counted as lost, with a word why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.decision import DecisionKind
from assaymark.model.finding import Layer
from assaymark.model.trigger import SubjectKind
from assaymark.server.imports.documents import bounded, checked_json, decoded, utf8
from assaymark.server.imports.found import Ask, World, check_of
from assaymark.server.imports.native.generic import From, Row, seen_of, tool_named
from assaymark.server.imports.speech import line_of
from assaymark.server.migrations.plan import LONGEST_NAME, Decided, Noted, Plan, Planned

SOURCE = "defectdojo"
_Table = dict[int, dict[str, Any]]
_LISTS: Mapping[str, frozenset[str]] = {
    "finding": frozenset({"title", "severity", "test"}),
    "risk_acceptance": frozenset({"accepted_findings"}),
    "engagement": frozenset({"target_start", "product"}),
    "test": frozenset({"engagement", "test_type"}),
    "product": frozenset({"prod_type", "name"}),
    "product_type": frozenset({"critical_product", "key_product"}),
    "test_type": frozenset({"name", "static_tool"}),
    "endpoint": frozenset({"host", "protocol"}),
    "notes": frozenset({"entry", "author"}),
    "user": frozenset({"username"}),
}
"""What tells the rows of a list apart, the most telling first."""
_MODELS = {f"dojo.{name}": name for name in _LISTS} | {"auth.user": "user", "dojo.dojo_user": "user"}


class _Page(Struct):
    results: list[dict[str, Any]]
    count: int = 0
    next: str | None = None


class _Dumped(Struct):
    model: str
    fields: dict[str, Any]
    pk: Any = None


class _Tables:
    """Rows of all files by list and id."""

    def __init__(self) -> None:
        self.rows: dict[str, _Table] = {name: {} for name in _LISTS}
        self.others = 0
        self.unfinished = 0

    def take(self, data: bytes) -> None:
        data = utf8(data)
        checked_json(data)
        if data.lstrip().startswith(b"["):
            for dumped in decoded(data, list[_Dumped], "DefectDojo (dumpdata)"):
                self._add(_MODELS.get(dumped.model, ""), dumped.fields | {"id": dumped.pk})
            return
        page = decoded(data, _Page, "DefectDojo (a page of its API)")
        self.unfinished += page.next is not None
        for row in page.results:
            self._add(next((name for name, fields in _LISTS.items() if fields <= row.keys()), ""), row)

    def _add(self, name: str, row: dict[str, Any]) -> None:
        number = row.get("id")
        if not name or not isinstance(number, int):
            self.others += 1
            return
        self.rows[name][number] = row
        related = row.get("related_fields")
        for inner in related.values() if isinstance(related, dict) else ():
            self._related(inner)

    def _related(self, inner: object) -> None:
        """What a finding brings along under `related_fields`: its test, with engagement, product and product type inside."""
        if not isinstance(inner, dict):
            return
        for name in ("engagement", "product", "prod_type", "product_type", "test_type"):
            held = inner.get(name)
            if isinstance(held, dict):
                self._related(held)
                inner[name] = held.get("id")
                self._put("product_type" if name == "prod_type" else name, held)
        if "test_type" in inner:
            self._put("test", inner)

    def _put(self, name: str, row: dict[str, Any]) -> None:
        number = row.get("id")
        if isinstance(number, int):
            self.rows[name].setdefault(number, row)

    def one(self, name: str, number: object) -> dict[str, Any]:
        held = number.get("id") if isinstance(number, dict) else number
        return self.rows[name].get(held, {}) if isinstance(held, int) else {}


def plan(documents: Iterable[bytes], world: World) -> Plan:
    """What a migration of these files would do.

    Raises:
        UsageError: when one of them is none of DefectDojo's, or together they hold no finding.
    """
    tables = _Tables()
    for data in documents:
        tables.take(data)
    findings = tables.rows["finding"]
    if not findings and not tables.rows["product"]:
        raise UsageError(
            "there is no product and no finding in these files", advice="export /api/v2/findings/?related_fields=true, all pages"
        )
    bounded(len(findings), "DefectDojo")
    made = Plan(SOURCE)
    made.loses("a page says that more pages follow, which are not among the files", tables.unfinished)
    made.loses("rows of lists that have no place here (users' rights, tools' settings, questionnaires, JIRA links)", tables.others)
    reader = _Reader(tables, world, made)
    for number in tables.rows["product"]:
        reader.product(number)
    for row in findings.values():
        reader.finding(row)
    reader.risks()
    return made


class _Reader:
    def __init__(self, tables: _Tables, world: World, made: Plan) -> None:
        self._tables, self._world, self._plan = tables, world, made
        self._products: dict[int, Planned] = {}
        self._risks = {
            number: risk
            for risk in tables.rows["risk_acceptance"].values()
            for number in risk.get("accepted_findings") or ()
            if isinstance(number, int)
        }
        self._used: set[int] = set()

    def product(self, number: int) -> Planned | None:
        """The subject of a product."""
        row = self._tables.rows["product"].get(number)
        if row is None:
            return None
        if number not in self._products:
            kind = self._tables.one("product_type", row.get("prod_type"))
            name = line_of(str(row.get("name") or f"product {number}"), LONGEST_NAME)
            team = line_of(str(kind.get("name") or row.get("prod_type_name") or ""), LONGEST_NAME)
            made = Planned(f"{SOURCE}:product:{number}", SubjectKind.ENVIRONMENT.value, name, team)
            self._products[number] = made
            self._plan.subjects.append(made)
            self._plan.becomes("product → subject")
        return self._products[number]

    def finding(self, row: dict[str, Any]) -> None:
        """A finding as what it names."""
        test = self._tables.one("test", row.get("test"))
        engagement = self._tables.one("engagement", test.get("engagement"))
        number = engagement.get("product")
        subject = self.product(number) if isinstance(number, int) else None
        if subject is None:
            self._plan.loses("findings whose product is in no file: export tests, engagements and products, or related_fields=true")
            return
        try:
            told = msgspec.convert(self._joined(row), Row, strict=False)
        except msgspec.ValidationError as error:
            self._plan.loses(f"findings that cannot be read ({line_of(str(error), 80)})")
            return
        self._take(subject, (row, told), self._scan(test))

    def _joined(self, row: dict[str, Any]) -> dict[str, Any]:
        endpoints = [each if isinstance(each, dict) else self._tables.one("endpoint", each) for each in row.get("endpoints") or ()]
        fields = {name: row[name] for name in Row.__struct_fields__ if name in row and name != "urls"}
        return fields | {"endpoints": [each for each in endpoints if each]}

    def _scan(self, test: dict[str, Any]) -> str:
        kind = self._tables.one("test_type", test.get("test_type"))
        return str(test.get("scan_type") or test.get("test_type_name") or kind.get("name") or SOURCE)

    def _take(self, subject: Planned, finding: tuple[dict[str, Any], Row], scan: str) -> None:
        row, told = finding
        standing = told.standing
        if standing in ("duplicate", "mitigated", "inactive"):
            self._plan.loses(f"findings that are over there: {standing}")
            return
        tool = tool_named(scan)
        check = check_of(tool, Ask())
        seen = seen_of(told, From(tool, check, Ask(), self._world))
        subject.checks.setdefault(check, Layer.APPLICATION)
        subject.seen += seen
        self._plan.becomes(f"finding of {line_of(scan, 60)} → finding of {tool}")
        day = _day(row.get("date") or row.get("created"))
        for one in seen:
            if day is not None:
                subject.ages[one.input, one.sighting.rule] = day
            self._decide(subject, one, row, standing)
            self._note(subject, one, row)

    def _decide(self, subject: Planned, seen: Any, row: dict[str, Any], standing: str) -> None:
        number = row.get("id")
        risk = self._risks.get(number) if isinstance(number, int) else None
        if risk is not None and standing in ("open", "risk accepted"):
            self._used.add(id(risk))
            subject.decided.append(self._accepted(number, risk, seen))
            self._plan.becomes("accepted risk → decision (accept)")
            return
        kinds = {
            "false positive": (DecisionKind.FALSE_POSITIVE, "marked as false positive in DefectDojo"),
            "out of scope": (DecisionKind.ACCEPT, "marked as out of scope in DefectDojo"),
            "risk accepted": (DecisionKind.ACCEPT, "accepted in DefectDojo, where nobody wrote down by whom"),
        }
        if standing in kinds:
            kind, reason = kinds[standing]
            by = self._login(row.get("last_reviewed_by") or row.get("reporter")) or "unknown"
            subject.decided.append(Decided(f"{SOURCE}:finding:{number}:{kind.value}", kind, reason, by, seen))
            self._plan.becomes(f"{standing} → decision ({kind.value})")

    def _accepted(self, number: object, risk: dict[str, Any], seen: Any) -> Decided:
        words = [str(risk.get(name) or "").strip() for name in ("name", "decision_details", "recommendation_details")]
        reason = line_of(": ".join(word for word in words if word) or "accepted in DefectDojo", 1_500)
        owner = line_of(str(risk.get("accepted_by") or self._login(risk.get("owner")) or "unknown"), 150)
        origin = f"{SOURCE}:risk-acceptance:{risk.get('id')}:finding:{number}"
        return Decided(origin, DecisionKind.ACCEPT, reason, owner, seen, until=_day(risk.get("expiration_date")))

    def _note(self, subject: Planned, seen: Any, row: dict[str, Any]) -> None:
        for each in row.get("notes") or ():
            note = each if isinstance(each, dict) else self._tables.one("notes", each)
            if not note.get("entry"):
                self._plan.loses("notes that are in no file: export /api/v2/notes/")
            elif note.get("private"):
                self._plan.loses("private notes: there are none here")
            else:
                by = self._login(note.get("author")) or "somebody"
                day = str(note.get("date") or "")[:10]
                subject.notes.append(Noted(seen, f"{by}{f' on {day}' if day else ''} (DefectDojo): {str(note['entry'])[:9_000]}"))
                self._plan.becomes("note → comment")

    def _login(self, who: object) -> str:
        row = who if isinstance(who, dict) else self._tables.one("user", who)
        return line_of(str(row.get("username") or ""), 100)

    def risks(self) -> None:
        """Accepted risks of which no finding is left."""
        left = sum(id(risk) not in self._used for risk in self._tables.rows["risk_acceptance"].values())
        self._plan.loses("accepted risks of which no open finding is among the files", left)


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text or "")[:10])
    except ValueError:
        return None
