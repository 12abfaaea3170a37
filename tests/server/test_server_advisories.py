"""From a changed advisory to re-judged subjects: the shelf of archives is a folder, the time stands where a test puts it."""

from __future__ import annotations

import http.server
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.listening import listening

from assaymark import compose, config
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.flow import Request, assay
from assaymark.jobs.job import Job, JobState
from assaymark.model.assessment import AssessmentState, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import Finding
from assaymark.model.verdict import Outcome, Reason, ReasonKind, Verdict
from assaymark.server.service import Service
from assaymark.server.work import advisories, forgetting, holdings, knowledge, rejudge
from assaymark.server.work.rejudge_jobs import FLIGHT, MOST_FLYING
from assaymark.store import components, held, setting_rows, snapshots, whereabouts
from assaymark.store.recording import Recording, record
from assaymark.store.tables import advisory_hit, assessment, occurrence, subject
from assaymark.store.whereabouts import Scope
from assaymark.subjects.directory import DirectorySubject
from assaymark.subjects.resolve import DirectoryRequest, open_comparison

DAY = 86_400_000_000
START = 1_790_000_000_000_000


class Attempt:
    number = 1
    is_last = False

    def __init__(self, *, stopped: bool = False) -> None:
        self._stopped = stopped

    def should_stop(self) -> bool:
        return self._stopped


@pytest.fixture
def service(service: Service) -> Service:
    """With a clock that a test moves."""
    times = [START]

    def now() -> Instant:
        times[0] += 1
        return Instant(times[0])

    made = msgspec.structs.replace(service, now=now)
    with made.database.write() as connection:
        setting_rows.put(connection, advisories.SOURCES, advisories.Sources(origin=advisories.FOLDER), Instant(1))
    return made


def record_of(number: int, package: str, fixed: str, **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": f"GHSA-{number}", "aliases": [f"CVE-2026-{number}"], "affected": [affected], "summary": f"hole {number}"} | more


def published(service: Service, *records: Mapping[str, Any], kev: tuple[str, ...] = ()) -> None:
    """What the offline folder holds from now on."""
    folder = service.settings.data / "offline"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for each in records:
        (folder / f"{each['id']}.json").write_text(json.dumps(each))
    if kev:
        rows = [{"cveID": cve, "dateAdded": "2026-01-01"} for cve in kev]
        (folder / "kev.json").write_text(json.dumps({"vulnerabilities": rows}))


def updated(service: Service) -> None:
    advisories.update_advisories(service, {}, Attempt())


def inventory(service: Service, folder: Path, number: int = 1, *, files: Mapping[str, str]) -> SubjectId:
    """A subject that was looked at: its findings of the dependencies check, and what it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
    since = service.now()
    verdict = flow(service, folder)
    looked = holdings.look(DirectorySubject(str(folder)), since)
    with service.database.write() as connection:
        if connection.execute(sa.select(subject.c.id).where(subject.c.id == number)).first() is None:
            row = {"id": number, "kind": "branch", "key": str(number), "name": f"s{number}", "head": "a" * 40, "created_at": 0}
            connection.execute(subject.insert(), row)
        record(connection, Recording(None, SubjectId(number), verdict, "", whole=True, at=service.now()))
        holdings.note(service, connection, SubjectId(number), looked)
    return SubjectId(number)


def flow(service: Service, folder: Path) -> Verdict:
    """The whole of a folder by the dependencies check, as an inventory does it."""
    env = {"HOME": str(service.settings.data), "ASSAYMARK_TODAY": "2026-09-22"}
    surroundings = msgspec.structs.replace(config.load(env), advisories=knowledge.advisories_file(service))
    request = Request(open_comparison(DirectoryRequest(str(folder))), whole=True, only=frozenset({rejudge.CHECK}))
    return assay(request, compose.context(surroundings, remember=False))


def open_findings(service: Service, number: SubjectId) -> list[str]:
    with service.database.read() as connection:
        return sorted(each.core.parts[-1] for each in held.remembered(connection, number, rejudge.CHECK))


def waiting(service: Service, kind: str) -> list[Job]:
    with service.database.read() as connection:
        return [row.job for row in service.queue.rows(connection, JobState.WAITING, before=None, limit=1000) if row.job.kind == kind]


def work(service: Service) -> None:
    """Everything that waits, as a worker would."""
    rejudge.rejudge_hits(service, {}, Attempt())
    for job in waiting(service, "rejudge"):
        rejudge.rejudge(service, job.arguments, Attempt())


def assessments(service: Service) -> list[Any]:
    with service.database.read() as connection:
        return list(connection.execute(sa.select(assessment).order_by(assessment.c.id)))


# --- updating --------------------------------------------------------------------------------------------------------


def test_every_worker_reads_the_snapshot_that_was_made(service: Service) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    path = Path(knowledge.advisories_file(service))
    elsewhere = msgspec.structs.replace(service, settings=msgspec.structs.replace(service.settings, data=service.settings.data / "other"))
    other = Path(knowledge.advisories_file(elsewhere))
    assert other != path
    assert other.read_bytes() == path.read_bytes()
    assert list(Index(str(other)).speaking_of(["CVE-2026-1"])) == ["PyPI/lantern"]


def test_without_a_snapshot_there_is_no_file(service: Service) -> None:
    assert not Path(knowledge.advisories_file(service)).exists()


def test_equal_advisories_are_no_new_snapshot_on_the_same_day(service: Service) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    updated(service)
    with service.database.read() as connection:
        assert len(snapshots.page(connection, before=None, limit=10)) == 1


def test_what_failed_is_told_and_what_was_known_stays(service: Service) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    before = knowledge.advisories_file(service)
    published(service)
    with pytest.raises(UsageError):
        updated(service)
    with service.database.read() as connection:
        state = setting_rows.get(connection, advisories.STATE, advisories.State, advisories.State())
    assert "holds no advisories" in state.error
    assert knowledge.advisories_file(service) == before


def test_an_update_ends_when_it_is_cancelled(service: Service) -> None:
    published(service, record_of(1, "lantern", "2"))
    with pytest.raises(SubjectUnreadable, match="stopped"):
        advisories.update_advisories(service, {}, Attempt(stopped=True))


def test_a_snapshot_that_is_lost_or_of_another_release_is_replaced_and_everything_is_news(service: Service, tmp_path: Path) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    for path in (service.settings.data / "advisories").glob("*.db"):
        path.unlink()
    for digest in service.blobs.every():
        if len(service.blobs.get(digest)) > 10_000:
            service.blobs.remove(digest)
    published(service, record_of(1, "lantern", "2"), record_of(2, "anvil", "2"))
    updated(service)
    with service.database.read() as connection:
        (hit,) = snapshots.page_of_hits(connection, 2, None, after=None, limit=10)
    assert (hit.subject, hit.advisories) == (mine, ("CVE-2026-1",))


def test_old_snapshots_leave_the_storage(service: Service) -> None:
    digests = []
    for number in range(4):
        published(service, record_of(number, "lantern", "2"))
        updated(service)
        with service.database.read() as connection:
            newest = snapshots.newest(connection)
        assert newest is not None
        digests.append(newest.digest)
    assert [service.blobs.has(each) for each in digests] == [False, False, True, True]


# --- who is hit ------------------------------------------------------------------------------------------------------


def test_a_new_advisory_opens_its_finding_without_content(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", 1, files={"requirements.txt": "lantern==1.0\n"})
    other = inventory(service, tmp_path / "b", 2, files={"requirements.txt": "lantern==3.0\n"})
    (tmp_path / "a" / "requirements.txt").unlink()  # nothing is read again
    published(service, record_of(9, "anvil", "2"), record_of(1, "lantern", "2"))
    updated(service)
    work(service)
    assert (open_findings(service, mine), open_findings(service, other)) == (["CVE-2026-1"], [])
    (row,) = assessments(service)
    assert (row.subject, row.trigger, row.cause, row.state) == (mine, "advisory", "CVE-2026-1", AssessmentState.PASS)
    assert row.summary == "the advisories changed: 1 newly known"
    verdict = msgspec.json.decode(service.blobs.get(Digest(row.verdict)), type=Verdict)
    assert [each.state.value for each in verdict.findings] == ["newly-known"]
    with service.database.read() as connection:
        (hit,) = snapshots.page_of_hits(connection, 2, None, after=None, limit=10)
    assert (hit.subject, hit.advisories, hit.state, hit.assessment) == (mine, ("CVE-2026-1",), "judged", row.id)


def test_an_advisory_that_is_taken_back_closes_its_finding(service: Service, tmp_path: Path) -> None:
    published(service, record_of(1, "lantern", "2"), record_of(9, "anvil", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\nanvil==1.0\n"})
    assert open_findings(service, mine) == ["CVE-2026-1", "CVE-2026-9"]
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    work(service)
    assert open_findings(service, mine) == ["CVE-2026-9"]
    (row,) = assessments(service)
    assert row.summary == "the advisories changed: 1 taken back"


def test_a_vulnerability_that_is_exploited_from_now_on_weighs_more_at_once(service: Service, tmp_path: Path) -> None:
    low = record_of(1, "lantern", "2", severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}])
    published(service, low)
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    published(service, low, kev=("CVE-2026-1",))
    updated(service)
    work(service)
    with service.database.read() as connection:
        query = sa.select(occurrence.c.severity, occurrence.c.closed_at).where(occurrence.c.subject == mine).order_by(occurrence.c.id)
        (before, closed), (after, still) = connection.execute(query)
    assert (before < after, closed is None, still) == (True, False, None)
    (row,) = assessments(service)
    assert row.summary == "the advisories changed: some weigh otherwise"


def test_a_change_that_hits_nothing_in_a_subject_writes_no_verdict(service: Service, tmp_path: Path) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    published(service, record_of(1, "lantern", "2.5"))  # the range changed, what it says of 1.0 did not
    updated(service)
    work(service)
    assert assessments(service) == []
    with service.database.read() as connection:
        assert not snapshots.some_wait(connection)


def test_a_failed_head_stays_failed_when_the_advisories_change(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    failed = msgspec.structs.replace(
        flow(service, tmp_path / "a"),
        outcome=Outcome.FAIL,
        reasons=(Reason(ReasonKind.NEW_FINDING, "a hole", "mend it", stops=True),),
    )
    with service.database.write() as connection:
        row = {"subject": mine, "state": "running", "trigger": "push", "head": "a" * 40, "queued_at": 0}
        number = connection.execute(assessment.insert().returning(assessment.c.id), row).scalar_one()
        blob = service.blobs.put(msgspec.json.encode(failed))
        record(connection, Recording(number, mine, failed, blob, whole=False, at=service.now()))
    published(service, record_of(9, "anvil", "2"), record_of(1, "lantern", "2"))
    updated(service)
    work(service)
    assert [(row.trigger, row.state) for row in assessments(service)] == [("push", "fail"), ("advisory", "fail")]
    with service.database.read() as connection:
        assert connection.execute(sa.select(subject.c.state)).scalar() == "fail"


def test_a_policy_that_switches_the_check_off_is_kept_to(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    files = {"requirements.txt": "lantern==1.0\n", "assay.toml": '[checks]\ndisable = ["dependencies"]\n'}
    mine = inventory(service, tmp_path / "a", files=files)
    published(service, record_of(9, "anvil", "2"), record_of(1, "lantern", "2"))
    updated(service)
    work(service)
    assert open_findings(service, mine) == []


def test_a_subject_that_is_hit_twice_is_judged_once(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    for number in (1, 2):
        published(service, record_of(9, "anvil", "2"), *(record_of(each, "lantern", "2") for each in range(1, number + 1)))
        updated(service)
    work(service)
    (row,) = assessments(service)
    assert row.cause == "CVE-2026-1, CVE-2026-2"
    rejudge.rejudge(service, {"subject": 1}, Attempt())
    assert len(assessments(service)) == 1


def test_what_changes_while_it_is_judged_again_is_tried_again(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(service, record_of(1, "lantern", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    seen = rejudge.seen

    def meanwhile(*arguments: Any) -> list[Finding]:
        inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==0.9\n"})
        return seen(*arguments)

    monkeypatch.setattr(rejudge, "seen", meanwhile)
    with pytest.raises(SubjectUnreadable, match="changed while"):
        rejudge.rejudge(service, {"subject": mine}, Attempt())


def test_an_inventory_that_began_before_the_update_is_judged_again(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    assert waiting(service, "rejudge") == []
    looked = holdings.look(DirectorySubject(str(tmp_path / "a")), service.now())
    published(service, record_of(9, "anvil", "2"), record_of(1, "anvil", "3"))
    updated(service)
    with service.database.write() as connection:
        holdings.note(service, connection, SubjectId(1), looked)
    assert [job.arguments for job in waiting(service, "rejudge")] == [{"subject": 1}]


def test_only_so_many_are_taken_up_at_a_time(service: Service) -> None:
    many = MOST_FLYING + 30
    with service.database.write() as connection:
        rows = [{"id": n, "kind": "branch", "key": str(n), "name": "s", "created_at": 0} for n in range(1, many + 1)]
        connection.execute(subject.insert(), rows)
        made = snapshots.Snapshot(0, Digest("sha256:" + "0" * 64), "s", {}, Instant(START), 1, 0)
        snapshots.add(connection, made, {SubjectId(n): ["CVE-1"] for n in range(1, many + 1)})
    for _ in range(3):
        rejudge.rejudge_hits(service, {}, Attempt())
        assert len(waiting(service, "rejudge")) == MOST_FLYING
    assert len(waiting(service, "rejudge-hits")) == 1
    with service.database.write() as connection:
        for number in range(1, 11):
            snapshots.judged(connection, SubjectId(number), None, service.now())
    rejudge.rejudge_hits(service, {}, Attempt())
    assert len(waiting(service, "rejudge")) == MOST_FLYING + 10
    with service.database.write() as connection:  # those whose jobs died do not hold up the others for ever
        connection.execute(advisory_hit.update().where(advisory_hit.c.state == "queued").values(queued_at=START - FLIGHT))
    rejudge.rejudge_hits(service, {}, Attempt())
    assert len(waiting(service, "rejudge")) == many


# --- the law: what is judged again is what would be found ----------------------------------------------------------------

FILES = {
    "requirements.txt": "lantern==1.0\nbell==odd-version\nanvil>=1\n",
    "poetry.lock": '[[package]]\nname = "lantern"\nversion = "1.9"\n\n[[package]]\nname = "bell"\nversion = "3"\n',
    "uv.lock": "this is no = lock [file",
    "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": {"": {}, "node_modules/gong": {"version": "1.0.0"}}}),
    "assay.toml": "",
}


def test_judging_again_finds_what_reading_again_finds(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files=FILES)
    published(service, record_of(9, "anvil", "2"), record_of(1, "lantern", "2"), record_of(2, "bell", "4"), record_of(3, "lantern", "1.5"))
    updated(service)
    work(service)
    with service.database.read() as connection:
        again = {(each.fingerprint, each.path, each.severity, each.message) for each in held.remembered(connection, mine, rejudge.CHECK)}
    found = [each.finding for each in flow(service, tmp_path / "a").findings]
    assert again == {(each.fingerprint, each.place.path, each.severity.rank, each.message) for each in found}
    assert len(again) > 5


# --- from an address ---------------------------------------------------------------------------------------------------


class Shelf(http.server.BaseHTTPRequestHandler):
    """What a mirror serves: archives with marks, and one address that leads elsewhere."""

    archive = b""
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        mark = self.headers.get("If-None-Match", "")
        type(self).asked.append((self.path, mark))
        if self.path.startswith("/leads-inside"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/latest/meta-data")
            self.end_headers()
        elif self.path != "/PyPI/all.zip":
            self.send_error(404)
        elif mark == '"one"':
            self.send_response(304)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(self.archive)))
            self.end_headers()
            self.wfile.write(self.archive)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def shelf() -> Iterator[str]:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.json", json.dumps(record_of(1, "lantern", "2")))
    Shelf.archive, Shelf.asked = data.getvalue(), []
    with listening(Shelf) as port:
        yield f"http://127.0.0.1:{port}"


def from_address(service: Service, origin: str, *networks: str) -> Service:
    with service.database.write() as connection:
        setting_rows.put(connection, advisories.SOURCES, advisories.Sources(origin, ("PyPI",)), Instant(1))
    return msgspec.structs.replace(service, settings=msgspec.structs.replace(service.settings, private_networks=networks))


@pytest.mark.enable_socket
def test_a_mirror_is_asked_through_the_guard_and_only_for_what_changed(service: Service, shelf: str) -> None:
    mirrored = from_address(service, shelf, "127.0.0.0/8")
    updated(mirrored)
    updated(mirrored)
    archives = [mark for path, mark in Shelf.asked if path == "/PyPI/all.zip"]
    assert archives == ["", '"one"']
    assert list(Index(knowledge.advisories_file(mirrored)).speaking_of(["CVE-2026-1"])) == ["PyPI/lantern"]


@pytest.mark.enable_socket
def test_an_address_inside_that_nobody_allowed_is_not_asked(service: Service, shelf: str) -> None:
    with pytest.raises(UsageError, match="may not be gone to"):
        updated(from_address(service, shelf))
    assert Shelf.asked == []


@pytest.mark.enable_socket
def test_a_redirect_to_where_one_may_not_go_is_not_followed(service: Service, shelf: str) -> None:
    with pytest.raises(UsageError):
        updated(from_address(service, f"{shelf}/leads-inside", "127.0.0.0/8"))
    assert len(Shelf.asked) == 1


# --- what is no more -------------------------------------------------------------------------------------------------


def test_a_subject_that_is_no_more_is_hit_by_nothing_and_affected_by_nothing(service: Service, tmp_path: Path) -> None:
    published(service, record_of(9, "anvil", "2"))
    updated(service)
    mine = inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n"})
    before = service.now()
    with service.database.write() as connection:
        connection.execute(subject.update().values(ended_at=service.now()))
    published(service, record_of(9, "anvil", "2"), record_of(1, "lantern", "2"))
    updated(service)
    index = Index(knowledge.advisories_file(service))
    with service.database.read() as connection:
        assert snapshots.page_of_hits(connection, 2, None, after=None, limit=10) == []
        assert whereabouts.affected_by(connection, ["CVE-2026-1"], index, Scope()) == []
        (then,) = whereabouts.affected_by(connection, ["CVE-2026-1"], index, Scope(as_of=before))
    assert then.held.subject == mine


def test_components_that_nobody_held_for_long_are_forgotten_with_their_content(service: Service, tmp_path: Path) -> None:
    inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==1.0\n", "poetry.lock": ""})
    inventory(service, tmp_path / "a", files={"requirements.txt": "lantern==2.0\n"})
    forgetting.clean_components(service, {}, Attempt())
    kept = len(list(service.blobs.every()))
    later = msgspec.structs.replace(service, now=lambda: Instant(START + (forgetting.KEPT_DAYS + 1) * DAY))
    forgetting.clean_components(later, {}, Attempt())
    assert len(list(service.blobs.every())) < kept
    with service.database.read() as connection:
        (still,) = held.holdings(connection, SubjectId(1))
        assert [each.version for each in components.kept(service.blobs, still.digest).packages] == ["2.0"]
        assert components.known_since(connection) > 0
