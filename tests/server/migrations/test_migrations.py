"""A migration says what becomes what, does it once, and goes on where it broke off."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from tests.server.migrations.migration_samples import dojo, dojo_finding, page, track

from assaymark.cli.migrate import command
from assaymark.errors import UsageError
from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND
from assaymark.server.imports.found import World
from assaymark.server.migrations import carrying, defectdojo, dependency_track
from assaymark.server.migrations.exports import Origin, migrate
from assaymark.server.people.accounts import ON_THE_MACHINE, By
from assaymark.server.service import Service
from assaymark.server.settings import load
from assaymark.server.work.importing import By as Sender
from assaymark.server.work.importing import Order, take
from assaymark.store import people
from assaymark.store import tables as t
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate as prepare
from assaymark.store.people import Draft


def _count(service: Service, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with service.database.read() as link:
        return int(link.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


def _somebody(service: Service) -> By:
    with service.database.write() as link:
        made = people.add(link, Draft("ben"), at=service.now())
    assert made is not None
    return By("ben", PersonId(made))


OPEN = (t.occurrence.c.closed_at.is_(None),)


def test_a_dry_run_writes_nothing_and_says_what_is_lost(service: Service) -> None:
    told = migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=True)
    assert (told.subjects, told.teams, told.findings, told.decisions, told.opened) == (1, 1, 4, 2, 0)
    assert told.lost == {
        "findings that are over there: duplicate": 1,
        "findings that are over there: mitigated": 1,
        "notes, because nobody is named in whose name they are said": 1,
    }
    assert told.taken["finding of Trivy Scan → finding of trivy"] == 4
    assert [_count(service, table) for table in (t.subject, t.team, t.occurrence, t.decision, t.assessment)] == [0] * 5


def test_products_findings_decisions_and_notes_of_defectdojo_come_over(service: Service) -> None:
    told = migrate(service, Origin.DEFECTDOJO, dojo(), _somebody(service), dry=False)
    assert (told.subjects, told.teams, told.opened, told.decisions, told.comments) == (1, 1, 4, 2, 1)
    with service.database.read() as link:
        [(name, slug)] = link.execute(sa.select(t.subject.c.name, t.team.c.slug).join(t.team, t.team.c.id == t.subject.c.team)).all()
        rows = link.execute(sa.select(t.occurrence.c.path, t.occurrence.c.waived, t.occurrence.c.since, t.occurrence.c.checks)).all()
        kinds = {tuple(row) for row in link.execute(sa.select(t.decision.c.kind, t.decision.c.owner))}
        [text] = link.execute(sa.select(t.comment.c.text)).scalars()
    assert (name, slug) == ("Shop", "web-team")
    assert kinds == {("accept", "ciso"), ("false-positive", "ana")}
    assert {row.checks for row in rows} == {"import/trivy"}
    born = int(dt.datetime(2025, 3, 4, tzinfo=dt.UTC).timestamp()) * SECOND
    assert {row.since for row in rows} == {born}
    assert text == "ana on 2025-04-01 (DefectDojo): looked at it"
    assert _count(service, t.occurrence, *OPEN, t.occurrence.c.waived == 1) == 2


def test_carried_out_again_nothing_is_made_twice(service: Service) -> None:
    who = _somebody(service)
    for origin, files in ((Origin.DEFECTDOJO, dojo()), (Origin.DEPENDENCY_TRACK, track())):
        migrate(service, origin, files, who, dry=False)
    tables = (t.subject, t.team, t.occurrence, t.decision, t.comment, t.assessment, t.holding)
    before = [_count(service, table) for table in tables]
    for origin, files in ((Origin.DEFECTDOJO, dojo()), (Origin.DEPENDENCY_TRACK, track())):
        again = migrate(service, origin, files, who, dry=False)
        assert (again.opened, again.decisions, again.comments, again.teams) == (0, 0, 0, 0)
    assert [_count(service, table) for table in tables] == before


def test_what_broke_off_goes_on(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    real = carrying._decide

    def broken(*_: object) -> int:
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr(carrying, "_decide", broken)
    with pytest.raises(RuntimeError):
        migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=False)
    assert _count(service, t.decision) == 0
    monkeypatch.setattr(carrying, "_decide", real)
    told = migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=False)
    assert (told.opened, told.decisions) == (0, 2)
    assert _count(service, t.occurrence, *OPEN, t.occurrence.c.waived == 1) == 2


def test_the_tools_next_report_replaces_what_came_over(service: Service) -> None:
    migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=False)
    with service.database.read() as link:
        number = link.execute(sa.select(t.subject.c.id)).scalar_one()
    row = {"VulnerabilityID": "CVE-2020-8203", "PkgName": "lodash1", "InstalledVersion": "4.17.15", "Severity": "HIGH"}
    report = {
        "SchemaVersion": 2,
        "ArtifactName": ".",
        "Results": [{"Target": "package-lock.json", "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": [row]}],
    }
    told = take(service, number, json.dumps(report).encode(), Order(""), Sender("me"))
    assert (told.opened, told.closed) == (0, 3)
    # A later run of the migration does not bring back what the tool no longer sees.
    assert migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=False).opened == 0
    assert _count(service, t.occurrence, *OPEN) == 1


def test_projects_analyses_and_components_of_dependency_track_come_over(service: Service) -> None:
    told = migrate(service, Origin.DEPENDENCY_TRACK, track(), ON_THE_MACHINE, dry=False)
    assert (told.subjects, told.opened, told.components, told.decisions) == (1, 3, 3, 1)
    assert told.lost == {"analyses that let nothing through: under-investigation": 1, "tags of projects": 1}
    with service.database.read() as link:
        [row] = link.execute(sa.select(t.decision)).all()
        [name] = link.execute(sa.select(t.subject.c.name)).scalars()
    assert (row.kind, row.package, row.version, row.advisory, row.justification) == (
        "not-affected", "pkg:npm/b", "1.0", "CVE-2020-2", "vulnerable_code_not_in_execute_path",
    )  # fmt: skip
    assert name == "shop 1.2"
    assert _count(service, t.occurrence, *OPEN, t.occurrence.c.waived == 1) == 1


def test_files_may_come_in_one_archive_and_in_any_order(service: Service) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, data in enumerate(reversed(dojo())):
            archive.writestr(f"{number}.json", data)
    packed = migrate(service, Origin.DEFECTDOJO, [out.getvalue()], ON_THE_MACHINE, dry=True)
    assert packed == migrate(service, Origin.DEFECTDOJO, dojo(), ON_THE_MACHINE, dry=True)


def test_what_refers_to_nothing_is_lost_with_a_word_why() -> None:
    bare = dojo_finding(1)
    del bare["related_fields"]
    plan = defectdojo.plan([page(bare, following="http://dojo.test/?offset=100"), page({"id": 1, "prod_type": 1, "name": "p"})], World())
    assert any("whose product is in no file" in word for word in plan.lost)
    assert any("more pages follow" in word for word in plan.lost)


def test_dumpdata_is_read_like_pages() -> None:
    rows = [
        {"model": "dojo.product_type", "pk": 1, "fields": {"name": "T", "critical_product": True, "key_product": True}},
        {"model": "dojo.product", "pk": 7, "fields": {"name": "Shop", "prod_type": 1}},
        {"model": "dojo.engagement", "pk": 4, "fields": {"product": 7, "target_start": "2025-01-01"}},
        {"model": "dojo.test_type", "pk": 2, "fields": {"name": "ZAP Scan", "static_tool": False}},
        {"model": "dojo.test", "pk": 5, "fields": {"engagement": 4, "test_type": 2}},
        {"model": "dojo.endpoint", "pk": 3, "fields": {"host": "shop.test", "protocol": "https", "path": "a"}},
        {"model": "dojo.finding", "pk": 1, "fields": {"title": "x", "severity": "Low", "test": 5, "endpoints": [3], "active": True}},
        {"model": "auth.permission", "pk": 1, "fields": {}},
    ]  # fmt: skip
    plan = defectdojo.plan([json.dumps(rows).encode()], World())
    [subject] = plan.subjects
    assert (subject.name, subject.team, list(subject.checks)) == ("Shop", "T", ["import/zap"])
    assert len(subject.seen) == 1


@pytest.mark.parametrize(
    "data", [b"{}", b"[1]", b"[]", b'{"results": 3}', b"\xff\xfe", b'{"results": [{"id": 1}], "results": []}', b"[" * 5000]
)
@pytest.mark.parametrize("origin", list(Origin))
def test_what_is_no_export_is_refused_and_changes_nothing(service: Service, origin: Origin, data: bytes) -> None:
    with pytest.raises(UsageError):
        migrate(service, origin, [data], ON_THE_MACHINE, dry=False)
    assert _count(service, t.subject) == 0


def test_a_bill_alone_makes_its_subject() -> None:
    plan = dependency_track.plan(track()[:1], World())
    assert [planned.name for planned in plan.subjects] == ["shop 1.2"]


def test_what_ended_there_is_lost_in_the_dry_run_as_well(service: Service) -> None:
    files = [data.replace(b"2099-01-01", b"2020-01-01") for data in dojo()]
    dry = migrate(service, Origin.DEFECTDOJO, files, ON_THE_MACHINE, dry=True)
    real = migrate(service, Origin.DEFECTDOJO, files, ON_THE_MACHINE, dry=False)
    assert dry.lost == real.lost
    assert dry.lost["decisions whose last day is over"] == 1
    assert (dry.teams, dry.decisions) == (real.teams, real.decisions) == (1, 1)
    assert migrate(service, Origin.DEFECTDOJO, files, ON_THE_MACHINE, dry=True).teams == 0


def test_the_command_says_what_it_does(tmp_path: Path) -> None:
    files = []
    for number, data in enumerate(dojo()):
        files.append(str(tmp_path / f"{number}.json"))
        (tmp_path / f"{number}.json").write_bytes(data)
    (tmp_path / "data").mkdir()
    started = Database(load(data=str(tmp_path / "data")).database)
    prepare(started)
    started.close()

    def run(*words: str) -> str:
        told = CliRunner().invoke(command, ["defectdojo", "--data", str(tmp_path / "data"), *words, *files], catch_exceptions=False)
        assert told.exit_code == 0
        return told.output

    assert "would take over from defectdojo: 1 subjects, 1 new teams, 4 findings (0 opened)" in run("--dry-run")
    assert "took over from defectdojo: 1 subjects, 1 new teams, 4 findings (4 opened)" in run()
    assert "1 subjects, 0 new teams, 4 findings (0 opened), 0 components, 0 decisions" in run()
    with pytest.raises(UsageError, match="no account"):
        run("--as", "nobody")
