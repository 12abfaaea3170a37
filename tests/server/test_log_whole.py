"""The log of a server: what it signs, serves, exports and pins, and what is found when another hand was at it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from starlette.testclient import TestClient

from assaymark.cli.log import command
from assaymark.endorsement.log import checkpoint, entry, inclusion, merkle, note, proof, tiles
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.errors import SignatureInvalid, SubjectNotFound, SubjectUnreadable
from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.model.assessment import Instant
from assaymark.server.app import make_app
from assaymark.server.logbook import checking, heads, jobs, pins
from assaymark.server.service import Service
from assaymark.store import log, log_heads, people

NOW = Instant(1_796_000_000_123_456)


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


ADMIN = Principal(PersonId(1), "ada", (Grant(Role.ADMIN),), session=1)


def fill(service: Service, number: int, text: str = "") -> None:
    def made(index: int) -> Entry:
        return Entry(EntryType.ENDORSE, NOW, "ada", (f"sha256:{index:064x}",), f"sha256:{index:064x}", {"text": text} if text else {})

    with service.database.write() as link:
        log.append(link, [made(index) for index in range(number)])


def head(service: Service) -> Head:
    with service.database.write() as link:
        row = heads.current(service, link)
    return Head(checkpoint.read(row.note.encode())[0], "a pin")


def verified(service: Service, *pinned: Head) -> list[str]:
    with service.database.read() as link:
        return checking.verify(link, pinned).defects


def by_force(service: Service, *statements: str) -> None:
    """As somebody does who owns the database: without its guards."""
    tables = ("log_entry", "log_tile", "log_checkpoint", "log_subject")
    with service.database.write() as link:
        for table in tables:
            if service.database.is_sqlite:
                for kind in ("stays", "only_grows"):
                    link.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_{kind}"))
            else:
                link.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            link.execute(sa.text(statement))


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_signed_when_the_log_has_grown_and_not_again(service: Service) -> None:
    empty = head(service).checkpoint
    assert (empty.size, empty.root) == (0, merkle.EMPTY)
    fill(service, 3)
    assert head(service) == head(service)
    fill(service, 400)
    assert head(service).checkpoint.size == 403
    with service.database.read() as link:
        assert [row.size for row in log_heads.every(link)] == [0, 3, 403]
        known = heads.known(link)
        newest = log_heads.newest(link)
    assert known is not None
    assert newest is not None
    assert checkpoint.opened(newest.note.encode(), known.origin, known.keys).checkpoint == head(service).checkpoint
    assert verified(service) == []


def test_the_private_key_lies_sealed(service: Service) -> None:
    head(service)
    with service.database.read() as link:
        found = log_heads.present_key(link)
    assert found is not None
    assert b"PRIVATE" not in found[1]


def test_another_key_signs_on_and_the_old_one_is_still_known(service: Service) -> None:
    fill(service, 2)
    before = head(service)
    with service.database.write() as link:
        row = heads.renew_key(service, link)
    after = head(service)
    assert (before.checkpoint.size, after.checkpoint.size) == (2, 3)
    with service.database.read() as link:
        said = log.get(link, 2)
    assert said is not None
    assert entry.read(said.line.encode()).entry.details["key"] == row.verifier
    assert verified(service, before) == []
    with service.database.read() as link:
        signed = [note.read(each.note.encode()).signatures[0].id for each in log_heads.every(link)]
    assert len(set(signed)) == 2
    assert signed[-1] == note.verifier(row.verifier).id
    assert verified(service) == []


def test_a_proof_holds_with_the_key_alone(service: Service) -> None:
    fill(service, 300)
    with service.database.write() as link:
        file = heads.proof_of_endorsement(service, link, f"sha256:{7:064x}")
        trusted = heads.trust_in(service, link)
    assert proof.logged(file, trusted)(f"sha256:{7:064x}") == ""
    assert "not of" in proof.logged(file, trusted)(f"sha256:{8:064x}")
    assert proof.proved(file, proof.trusted_of(trusted)).seq == 7
    with pytest.raises(SubjectNotFound), service.database.write() as link:
        heads.proof_of(service, link, 300)


# --- what another hand did -------------------------------------------------------------------------------------------

LINE = "(SELECT line FROM log_entry WHERE seq = 7)"
ATTACKS = {
    "an entry was rewritten": (f"UPDATE log_entry SET line = {LINE} WHERE seq = 6",),
    "an entry of the last tile was rewritten": (f"UPDATE log_entry SET line = {LINE} WHERE seq = 590",),
    "an entry was taken out": ("DELETE FROM log_entry WHERE seq = 100",),
    "the first entry was taken out": ("DELETE FROM log_entry WHERE seq = 0",),
    "the end was cut off": ("DELETE FROM log_entry WHERE seq > 580",),
    "everything was taken": ("DELETE FROM log_entry", "DELETE FROM log_tile"),
    "a hash was changed": ("UPDATE log_entry SET leaf = (SELECT leaf FROM log_entry WHERE seq = 8) WHERE seq = 9",),
    "a tile was changed": ("UPDATE log_tile SET hashes = (SELECT hashes FROM log_tile WHERE number = 1) WHERE number = 0",),
    "a tile was taken": ("DELETE FROM log_tile WHERE number = 1",),
    "a column says something else": ("UPDATE log_entry SET endorsement = 'sha256:00' WHERE seq = 3",),
    "a checkpoint says another size": ("UPDATE log_checkpoint SET size = 10",),
    "a checkpoint was changed": ("UPDATE log_checkpoint SET note = note || 'x'",),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_done_to_the_rows_is_found(service: Service, attack: str) -> None:
    fill(service, 600)
    head(service)
    assert verified(service) == []
    by_force(service, *ATTACKS[attack])
    assert verified(service)


def test_a_log_that_was_rewritten_as_a_whole_is_found_by_a_pin_alone(service: Service) -> None:
    """Its owner has database and key: he makes another history that is consistent in itself."""
    fill(service, 300)
    pin = head(service)
    by_force(service, "DELETE FROM log_entry", "DELETE FROM log_tile", "DELETE FROM log_checkpoint", "DELETE FROM log_subject")
    fill(service, 310, "another history")
    other = head(service)
    assert verified(service) == []
    assert verified(service, pin) == ["the log was rewritten: its first 300 entries are not those of the checkpoint of a pin"]
    assert pins.differing(service, other.checkpoint, [pin])


def test_nothing_is_signed_that_does_not_go_on(service: Service) -> None:
    fill(service, 20)
    head(service)
    by_force(service, "DELETE FROM log_entry WHERE seq >= 10")
    with pytest.raises(SubjectUnreadable, match="not what was signed"):
        head(service)


# --- files -----------------------------------------------------------------------------------------------------------


def test_an_exported_log_is_checked_without_the_server(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    fill(service, 300)
    first = head(service)
    assert export(service, folder) == len(list(tiles.every(300))) + 1
    fill(service, 300)
    head(service)
    export(service, folder)
    with service.database.write() as link:
        trusted = proof.trusted_of(heads.trust_in(service, link))
    assert checking.verify_folder(folder, trusted, [first]).defects == []
    assert merkle.root(600, checking.reader_of(folder, 600).subtree) == head(service).checkpoint.root
    bundle = folder / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"ada", b"bob", 1))
    assert checking.verify_folder(folder, trusted).defect_count
    bundle.unlink()
    assert checking.verify_folder(folder, trusted).defect_count
    (folder / "checkpoint").write_bytes(b"x")
    with pytest.raises(SignatureInvalid):
        checking.verify_folder(folder, trusted)


def export(service: Service, folder: Path) -> int:
    with service.database.write() as link:
        row = heads.current(service, link)
    with service.database.read() as link:
        return checking.export(link, row.note.encode(), folder)


# --- pins ------------------------------------------------------------------------------------------------------------


def in_git(service: Service, tmp_path: Path) -> tuple[Service, str]:
    home = tmp_path / "repositories"
    subprocess.run(["git", "init", "--bare", "--quiet", str(home / "pins.git")], check=True)
    settings = msgspec.structs.replace(service.settings, local_repositories=(str(home),))
    return msgspec.structs.replace(service, settings=settings), f"git+file://{home}/pins.git#log"


def in_folder(service: Service, tmp_path: Path) -> tuple[Service, str]:
    return service, f"file://{tmp_path}/pins"


def in_s3(service: Service, _tmp_path: Path) -> tuple[Service, str]:
    return service, "s3://assay-pins/log"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        boto3.session.Session().client("s3").create_bucket(Bucket="assay-pins")
        yield


@pytest.mark.parametrize("kind", [in_git, in_folder, in_s3])
def test_checkpoints_are_kept_elsewhere_and_tell_of_another_history(
    service: Service, tmp_path: Path, kind: Any, request: pytest.FixtureRequest
) -> None:
    if kind is in_s3:
        request.getfixturevalue("bucket")
    service, place = kind(service, tmp_path)
    for _ in range(2):
        fill(service, 150)
        row = pins.pin(service, place)
        assert (row.outcome, row.detail) == ("pinned", "")
    assert pins.pin(service, place).outcome == "pinned"
    with service.database.read() as link:
        known = heads.known(link)
        rows = log_heads.pins(link, limit=10)
    assert known is not None
    assert [each.size for each in rows] == [300, 300, 150]
    held = pins.pinned(pins.place_at(service, place), place, known)
    assert {each.checkpoint.size for each in held} == {150, 300}
    assert verified(service, *held) == []
    by_force(service, "DELETE FROM log_entry", "DELETE FROM log_tile", "DELETE FROM log_checkpoint", "DELETE FROM log_subject")
    fill(service, 400, "another history")
    assert verified(service) == []
    assert len(verified(service, *held)) >= 2
    refused = pins.pin(service, place)
    assert refused.outcome == "differs"
    assert "rewritten" in refused.detail


def test_another_key_in_the_database_is_told_by_the_pin(service: Service, tmp_path: Path) -> None:
    """Whoever throws the keys away as well signs with others: what lies elsewhere is not theirs."""
    place = f"file://{tmp_path}/pins"
    fill(service, 5)
    assert pins.pin(service, place).outcome == "pinned"
    by_force(service, "DELETE FROM log_checkpoint", "DELETE FROM log_key")
    assert pins.pin(service, place).outcome == "differs"


def test_the_job_signs_and_pins(service: Service, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(service.settings, log_pins=(f"file://{tmp_path}/pins",))
    fill(service, 3)
    jobs.pin_log(msgspec.structs.replace(service, settings=settings), {}, Attempt())
    with service.database.read() as link:
        newest = log_heads.newest(link)
    assert newest is not None
    assert [file.read_text() for file in (tmp_path / "pins").iterdir()] == [newest.note]


@pytest.mark.parametrize("place", ["ftp://x/y", "git+https://127.0.0.1/x.git#log", "git+file:///etc#log", "git+https://example.org/x.git#../x",
                                   "s3://?", "file:///proc/nowhere"])  # fmt: skip
def test_a_place_that_cannot_be_is_written_down(service: Service, place: str) -> None:
    row = pins.pin(service, place)
    assert row.outcome == "failed"
    assert row.detail


# --- the API and pages -----------------------------------------------------------------------------------------------


def client(service: Service, who: Principal | None) -> TestClient:
    return TestClient(make_app(service, identify=lambda *_: who), base_url="http://127.0.0.1:8750")


def test_the_log_can_be_followed_by_its_paths_alone(service: Service) -> None:
    fill(service, 600)
    with client(service, None) as web:
        identity = web.get("/api/v1/log").json()
        known = inclusion.keys_of(identity["origin"], [identity["key"]])
        answer = web.get("/api/v1/log/checkpoint")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        said = checkpoint.opened(answer.content, known.origin, known.keys).checkpoint
        reader = tiles.Reader(said.size, lambda tile: web.get(f"/api/v1/log/{tile.path}").raise_for_status().content)
        assert merkle.root(said.size, reader.subtree) == said.root
        assert web.get("/api/v1/log/tile/0/000").headers["cache-control"].endswith("immutable")
        for path in ("tile/0/002", "tile/0/0", "tile/3/000", "tile/0/002.p/89", "tile/x/000"):
            assert web.get(f"/api/v1/log/{path}").status_code == 404
        assert web.get("/api/v1/log/tile/entries/000").status_code == 401
    with client(service, ADMIN) as web:
        entries = tiles.unbundle(web.get("/api/v1/log/tile/entries/002.p/88").content, 88)
        assert entry.read(entries[0]).seq == 512
        page = web.get("/api/v1/log/entries", params={"subject": f"sha256:{9:064x}"}).json()
        assert [each["seq"] for each in page["items"]] == [9]
        first = web.get("/api/v1/log/entries", params={"limit": 2}).json()
        second = web.get("/api/v1/log/entries", params={"limit": 2, "after": first["next"]}).json()
        assert [each["seq"] for each in (*first["items"], *second["items"])] == [599, 598, 597, 596]
        file = web.get(f"/api/v1/log/endorsements/sha256:{5:064x}/proof")
        assert proof.proved(file.content, known).seq == 5
        assert web.get("/api/v1/log/entries/600").status_code == 404
        assert web.get("/api/v1/log/entries/99999999999999999999999").status_code in {400, 404}


def test_pages_show_entries_and_where_they_are_pinned(service: Service, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(service.settings, log_pins=(f"file://{tmp_path}/pins",))
    service = msgspec.structs.replace(service, settings=settings)
    fill(service, 60, "<script>alert(1)</script>")
    with service.database.write() as link:
        assert people.add(link, people.Draft("ada"), at=NOW) == ADMIN.person
    with client(service, ADMIN) as web:
        page = web.get("/log").text
        assert "60 entries" in page
        assert "before=10" in page
        assert 'href="/log/59/proof"' in page
        shown = web.get("/log/59").text
        assert "&lt;script&gt;" in shown
        assert "<script>alert" not in shown
        answer = web.post("/log/pins", headers={"Origin": service.settings.url, "Sec-Fetch-Site": "same-origin"}, follow_redirects=False)
        assert answer.status_code == 303
        assert "60 entries: pinned" in web.get("/log").text
        assert web.get("/log/59/proof").text.startswith(inclusion.HEAD)
        assert web.get("/log/60").status_code == 404
        assert web.get("/log", params={"type": "revoke"}).text.count("No entry is of that kind") == 1


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_shows_checks_exports_pins_and_proves(service: Service, tmp_path: Path) -> None:
    fill(service, 30)
    where = ["--data", str(service.settings.data), "--database", service.settings.database]

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(command, list(words), catch_exceptions=True)
        assert result.exit_code == code, (result.output, result.exception)
        return str(result.stdout)

    assert run("show", "--limit", "2", *where).count("\n") == 2
    with service.database.write() as link:
        key = heads.key(service, link).verifier
    (tmp_path / "kept").write_text(run("checkpoint", *where))
    assert "30 entries" in run("export", str(tmp_path / "tiles"), *where)
    assert "it holds" in run("verify", "--tiles", str(tmp_path / "tiles"), "--key", key, "--pinned", str(tmp_path / "kept"))
    assert "pinned" in run("pin", "--to", f"file://{tmp_path}/pins", *where)
    assert "compared with 3" in run("verify", "--pinned", f"file://{tmp_path}/pins", "--pinned", str(tmp_path / "kept"), *where)
    run("proof", f"sha256:{4:064x}", "-o", str(tmp_path / "proof"), *where)
    assert "entry 4 of 30" in run("prove", str(tmp_path / "proof"), "--key", key, "--endorsement", f"sha256:{4:064x}")
    assert run("proof", "4", *where) == (tmp_path / "proof").read_text()
    run("prove", str(tmp_path / "proof"), "--key", key, "--endorsement", f"sha256:{5:064x}", code=1)  # `main` makes a 2 of the error
    assert run("renew-key", *where).startswith(key.partition("+")[0])
    assert "it holds" in run("verify", *where)
    by_force(service, "DELETE FROM log_entry WHERE seq = 30")
    assert "cut off" in run("verify", *where, code=3)
