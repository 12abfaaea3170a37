"""The gate in front of protected branches, with real git and real pushes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from tests.endorsement.approvals import claims, signer, statement_of, trusting

import assaymark
from assaymark.cli import gate
from assaymark.endorsement import approval, bundle, dsse
from assaymark.endorsement.approval import Approval
from assaymark.endorsement.distribution import client
from assaymark.endorsement.distribution.client import Keeping, Note
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.log import checkpoint, entry, merkle, note, proof
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.places import notes
from assaymark.endorsement.revocation import Revocation, Revocations, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.trust import LogTrust
from assaymark.model.assessment import SECOND, Instant
from assaymark.subjects.repository import discover
from assaymark.triggers import gate_book
from assaymark.triggers.gate import Mode

KEY = signer()
_SCRIPT = "from assaymark.cli.main import main; main()"
NOW = Instant(time.time_ns() // 1000)


def trust_folder(path: Path, *revoked: Revocation, fresh_for: float = 24, log: LogTrust | None = None) -> None:
    """As `assay trust update` leaves it."""
    state = path / client.STATES / "1"
    state.mkdir(parents=True, exist_ok=True)
    documents = {
        client.TRUST: msgspec.json.encode(trusting(KEY, log=log).trust),
        client.REVOCATIONS: msgspec.json.encode(Revocations(len(revoked), revoked)),
    }
    named = {name: {"length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}} for name, data in documents.items()}
    ends = approval.stamp(Instant(NOW + int(fresh_for * 3600) * SECOND))
    documents["targets.json"] = msgspec.json.encode({"signed": {"targets": named}})
    documents["timestamp.json"] = msgspec.json.encode({"signed": {"expires": ends, "version": 1}})
    documents[client.NOTE] = client.written(Note(Instant(NOW - 60 * SECOND), ""))
    for name, data in documents.items():
        (state / name).write_bytes(data)
    (path / client.SETTINGS).write_bytes(client.written(Keeping("", grace_hours=1)))
    (path / client.CURRENT).unlink(missing_ok=True)
    (path / client.CURRENT).symlink_to(Path(client.STATES) / "1")


def endorsed(commit: str, *, by: KeySigner = KEY, hours: float = 24, **more: object) -> bytes:
    claimed: Approval = claims(time_verified=approval.stamp(Instant(NOW - 120 * SECOND)))
    until = approval.stamp(Instant(NOW + int(hours * 3600) * SECOND))
    claimed = replace(claimed, extension=replace(claimed.extension, expires=until), **more)
    return bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(claimed, (Named("shop", {"gitCommit": commit}),)), by))


class Host:
    """A bare repository with a gate, and somebody's clone of it."""

    def __init__(self, folder: Path) -> None:
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ASSAYMARK_"))}
        self.env |= {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "ASSAYMARK_DAEMON": "off"}
        self.env["PYTHONPATH"] = str(Path(assaymark.__file__).parents[1])
        for who in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{who}_NAME": "Ann", f"GIT_{who}_EMAIL": "ann@shop.example"}
        self.bare, self.work, self.trust = folder / "shop.git", folder / "work", folder / "trust"
        trust_folder(self.trust)
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.bare), cwd=folder)
        self.run("git", "clone", "-q", str(self.bare), str(self.work), cwd=folder)
        self.first = self.commit("first")
        self.git("push", "-q", "origin", "main")

    def run(self, *words: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(words, cwd=cwd, env=self.env, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def git(self, *words: str) -> str:
        return self.run("git", *words, cwd=self.work).stdout.strip()

    def assay(self, *words: str, check: bool = True) -> str:
        done = self.run(sys.executable, "-c", _SCRIPT, *words, cwd=self.bare, check=check)
        return done.stdout + done.stderr

    def commit(self, text: str) -> str:
        self.run("git", "checkout", "-q", "-B", "main", cwd=self.work, check=False)
        self.run("git", "commit", "-q", "--allow-empty", "-m", text, cwd=self.work)
        return self.git("rev-parse", "HEAD")

    def note(self, commit: str, data: bytes) -> None:
        notes.write(discover(str(self.work), environ=self.env).git, commit, data)

    def push(self, *refs: str) -> tuple[bool, str]:
        done = self.run("git", "push", "origin", *refs, cwd=self.work, check=False)
        return done.returncode == 0, done.stderr

    def gate(self, *words: str, enforce: bool = True) -> None:
        orders = [["install", "--trust", str(self.trust), *words], *([["enforce"]] if enforce else [])]
        for order in orders:  # in this process: starting another costs more than all the rest
            done = CliRunner().invoke(gate.command, [*order, str(self.bare)], catch_exceptions=False)
            assert done.exit_code == 0, done.output

    def tip(self, ref: str = "refs/heads/main") -> str:
        return self.run("git", "rev-parse", "--verify", "-q", ref, cwd=self.bare, check=False).stdout.strip()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_has_no_endorsement_does_not_reach_a_protected_branch(host: Host) -> None:
    host.gate()
    commit = host.commit("unapproved")
    ok, said = host.push("main")
    assert not ok
    assert host.tip() == host.first
    assert f"refs/heads/main is protected, and {commit[:12]} is refused" in said
    assert "no-endorsement" in said
    assert "do this:" in said


def test_an_endorsement_that_comes_with_the_push_lets_it_in(host: Host) -> None:
    """It waits in git's quarantine, under a ref that does not exist yet."""
    host.gate()
    commit = host.commit("approved")
    host.note(commit, endorsed(commit))
    ok, said = host.push("main", notes.REF)
    assert (ok, host.tip(), bool(host.tip(notes.REF))) == (True, commit, True), said
    assert "assay gate" not in said


def test_an_endorsement_that_lies_there_lets_it_in(host: Host) -> None:
    host.gate()
    commit = host.commit("approved")
    host.note(commit, endorsed(commit))
    assert host.push(notes.REF)[0]
    assert host.push("main")[0]


def test_an_endorsement_in_a_folder_of_the_host_lets_it_in(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "endorsements"
    folder.mkdir()
    host.gate("--folder", str(folder))
    commit = host.commit("approved")
    (folder / f"{commit}.sigstore.json").write_bytes(endorsed(commit))
    assert host.push("main")[0]


def test_other_branches_are_nobodys_business(host: Host) -> None:
    host.gate()
    host.commit("unapproved")
    ok, said = host.push("main:refs/heads/feature")
    assert ok
    assert "assay gate" not in said


def test_one_refused_ref_refuses_the_push(host: Host) -> None:
    host.gate()
    host.commit("unapproved")
    assert not host.push("main", "main:refs/heads/feature")[0]
    assert host.tip("refs/heads/feature") == ""


Made = Callable[[str], bytes]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (lambda commit: endorsed(commit, by=signer()), "no-trusted-signature"),
        (lambda commit: endorsed(commit, hours=-0.01), "expired"),
        (lambda commit: endorsed(commit, verified_levels=("SLSA_SOURCE_LEVEL_1",)), "level-missing"),
        (lambda commit: endorsed(commit, resource_uri="git+https://elsewhere.example/other"), "wrong-resource"),
    ],
    ids=["foreign-key", "expired", "level", "resource"],
)
def test_an_endorsement_that_does_not_hold_is_named_with_its_reason(host: Host, attack: Made, reason: str) -> None:
    host.gate("--level", "ORG_QUALITY_APPROVED", "--resource", "oci://registry.example/shop/web")
    commit = host.commit("attack")
    host.note(commit, attack(commit))
    ok, said = host.push("main", notes.REF)
    assert (ok, host.tip()) == (False, host.first)
    assert reason in said


def test_another_commits_endorsement_under_this_commits_note_is_none(host: Host) -> None:
    """Replayed: the note is the pusher's to write, the statement is not."""
    host.gate()
    commit = host.commit("replay")
    host.git("notes", "--ref=endorsements", "add", "-m", endorsed(host.first).decode(), commit)
    ok, said = host.push("main", notes.REF)
    assert not ok
    assert "no-endorsement" in said


def test_what_was_revoked_is_refused_though_it_was_approved(host: Host) -> None:
    host.gate()
    commit = host.commit("revoked")
    host.note(commit, endorsed(commit))
    trust_folder(host.trust, Revocation(Target.SUBJECT, f"gitCommit:{commit}", "leaks", approval.stamp(NOW)))
    ok, said = host.push("main", notes.REF)
    assert not ok
    assert "revoked" in said
    assert "leaks" in said


def test_a_replaced_object_is_not_looked_at(host: Host) -> None:
    """``refs/replace`` would show an approved commit in the place of another."""
    host.gate()
    good = host.commit("good")
    host.note(good, endorsed(good))
    host.git("checkout", "-q", "--detach", host.first)
    host.run("git", "commit", "-q", "--allow-empty", "-m", "bad", cwd=host.work)
    bad = host.git("rev-parse", "HEAD")
    host.git("replace", bad, good)
    assert not host.push(f"{bad}:refs/heads/main", notes.REF, f"refs/replace/{bad}")[0]
    assert host.push(f"refs/replace/{bad}")[0]
    assert not host.push(f"{bad}:refs/heads/main", notes.REF)[0]


def test_protected_branches_are_not_deleted_and_not_rewound(host: Host) -> None:
    commit = host.commit("second")
    host.push("main")
    host.note(host.first, endorsed(host.first))
    host.gate()
    ok, said = host.push(":main")
    assert not ok
    ok, said = host.push("--force", f"{host.first}:refs/heads/main", notes.REF)
    assert not ok
    assert "would rewind it" in said  # although the older commit is approved: that is how a mended hole comes back
    assert host.tip() == commit


def test_protected_tags_take_approved_commits_and_do_not_move(host: Host) -> None:
    host.gate("--protect", "refs/tags/v*")
    host.git("tag", "-a", "v1", "-m", "one")
    assert not host.push("v1")[0]
    host.note(host.first, endorsed(host.first))
    assert host.push("v1", notes.REF)[0]
    commit = host.commit("later")
    host.note(commit, endorsed(commit))
    host.git("tag", "-f", "-a", "v1", "-m", "moved")
    ok, said = host.push("--force", "refs/tags/v1", notes.REF)
    assert not ok
    assert "not moved" in said


def test_notes_only_grow(host: Host) -> None:
    host.gate()
    host.note(host.first, endorsed(host.first))
    assert host.push(notes.REF)[0]
    held = host.tip(notes.REF)
    assert not host.push(f":{notes.REF}")[0]
    host.git("update-ref", "-d", notes.REF)
    host.note(host.first, endorsed(host.first))
    assert not host.push("--force", notes.REF)[0]
    assert host.tip(notes.REF) == held


def test_a_symbolic_ref_counts_as_what_it_leads_to(host: Host) -> None:
    host.gate()
    host.run("git", "symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=host.bare)
    host.commit("by the back door")
    assert not host.push("main:refs/heads/alias")[0]
    assert host.tip() == host.first


def test_another_spelling_is_the_same_branch_where_the_file_system_says_so(host: Host) -> None:
    host.gate()
    host.run("git", "config", "core.ignoreCase", "true", cwd=host.bare)
    host.commit("spelled otherwise")
    assert not host.push("main:refs/heads/MAIN")[0]


def test_it_audits_first_and_writes_down_what_it_would_have_refused(host: Host) -> None:
    host.gate(enforce=False)
    commit = host.commit("unapproved")
    ok, said = host.push("main")
    assert (ok, host.tip()) == (True, commit)
    assert "would be refused" in said
    assert "only audits" in said
    [line] = gate_book.last_lines(host.bare, 10)
    assert (line.ok, line.ref, line.commit, line.mode) == (False, "refs/heads/main", commit, "audit")
    status = host.assay("gate", "status", check=False)
    assert f"refs/heads/main {commit[:12]}: not approved: no-endorsement" in status


@pytest.mark.parametrize("mode", list(Mode))
def test_what_cannot_be_told_passes_only_while_it_audits(host: Host, mode: Mode) -> None:
    host.gate(enforce=mode is Mode.ENFORCE)
    trust_folder(host.trust, fresh_for=-2)  # beyond its grace
    commit = host.commit("who knows")
    host.note(commit, endorsed(commit))
    ok, said = host.push("main", notes.REF)
    assert ok is (mode is Mode.AUDIT)
    assert "too old" in said
    assert "cannot be told" in said


@pytest.mark.parametrize("mode", list(Mode))
def test_a_gate_that_cannot_start_refuses_only_when_it_enforces(host: Host, mode: Mode) -> None:
    host.gate(enforce=mode is Mode.ENFORCE)
    hook = host.bare / "hooks" / "pre-receive"
    hook.write_text(hook.read_text().replace(sys.executable, "/nowhere/python"))
    host.commit("x")
    ok, said = host.push("main")
    assert ok is (mode is Mode.AUDIT)
    assert "could not be started" in said


def test_a_defect_refuses_only_when_it_enforces(host: Host, tmp_path: Path) -> None:
    host.gate(enforce=False)
    hook = host.bare / "hooks" / "pre-receive"
    hook.write_text(hook.read_text().replace("assaymark.triggers.gate_hook", "assaymark.triggers.no_such_module"))
    host.commit("x")
    assert host.push("main")[0]
    host.assay("gate", "enforce")
    host.commit("y")
    assert not host.push("main")[0]


def test_what_takes_too_long_is_ended_and_refused(host: Host) -> None:
    host.gate()
    settings = host.bare / "assaymark-gate.toml"
    settings.write_text(settings.read_text().replace("seconds = 10.0", "seconds = 0.001"))
    host.commit("slow")
    ok, said = host.push("main")
    assert not ok
    assert "within 0.001 seconds" in said
    assert gate_book.last_lines(host.bare, 1)[0].ref == ""


def test_settings_that_vanish_refuse_unless_repositories_share_the_hook(host: Host, tmp_path: Path) -> None:
    host.gate()
    settings = (host.bare / "assaymark-gate.toml").read_bytes()
    (host.bare / "assaymark-gate.toml").unlink()
    host.commit("x")
    assert not host.push("main")[0]
    (host.bare / "hooks" / "pre-receive").rename(tmp_path / "pre-receive")
    host.run("git", "config", "core.hooksPath", str(tmp_path), cwd=host.bare)
    assert host.push("main")[0]  # this repository has no gate
    (host.bare / "assaymark-gate.toml").write_bytes(settings)
    host.commit("y")
    assert not host.push("main")[0]


def test_broken_settings_refuse(host: Host) -> None:
    host.gate()
    with (host.bare / "assaymark-gate.toml").open("a") as file:
        file.write('protekted = ["x"]\n')
    host.commit("x")
    ok, said = host.push("main")
    assert not ok
    assert "protekted" in said


def test_an_administrator_opens_it_for_a_while_and_everybody_sees_that(host: Host) -> None:
    host.gate()
    host.assay("gate", "open", "--reason", "the signer is down", "--hours", "1")
    commit = host.commit("urgent")
    ok, said = host.push("main")
    assert ok
    assert "the signer is down" in said
    line = gate_book.last_lines(host.bare, 1)[0]
    assert (line.ok, bool(line.opened_by), line.commit) == (False, True, commit)
    host.assay("gate", "close")
    host.commit("again")
    assert not host.push("main")[0]


def test_an_opening_ends_by_itself(host: Host) -> None:
    host.gate()
    gate_book.open_gate(host.bare, gate_book.Opening(Instant(NOW - 1), "ann", "long ago"))
    host.commit("late")
    assert not host.push("main")[0]
    gate_book.open_gate(host.bare, gate_book.Opening(Instant(NOW + 1000 * 3600 * SECOND), "ann", "for ever"))
    assert not host.push("main")[0]


def test_whoever_has_the_hosts_shell_gets_past_it(host: Host) -> None:
    """The way back in when everything else is broken: hooks are asked by pushes alone."""
    host.gate()
    commit = host.commit("recovery")
    host.run("git", "fetch", "-q", str(host.work), "main", cwd=host.bare)
    host.run("git", "update-ref", "refs/heads/main", commit, cwd=host.bare)
    assert host.tip() == commit


def test_the_hook_that_stood_there_runs_first_and_comes_back(host: Host) -> None:
    hook = host.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\ncat > seen\n")
    hook.chmod(0o755)
    host.gate()
    commit = host.commit("x")
    assert not host.push("main")[0]
    assert commit in (host.bare / "seen").read_text()
    assert "the earlier hook is back" in host.assay("gate", "uninstall")
    assert hook.read_text() == "#!/bin/sh\ncat > seen\n"
    assert host.push("main")[0]


def test_it_goes_together_with_the_hook_that_judges_changes(host: Host) -> None:
    host.gate()
    host.assay("hook", "install", "pre-receive")
    host.commit("x")
    assert not host.push("main")[0]
    assert "the gate is taken out" in host.assay("gate", "uninstall")


def test_a_trust_document_without_a_folder_needs_its_revocations(host: Host, tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_bytes(msgspec.json.encode(trusting(KEY).trust))
    said = host.assay("gate", "install", "--trust", str(tmp_path / "trust.json"), check=False)
    assert "revocations cannot be read" in said
    (tmp_path / "revocations.json").write_bytes(msgspec.json.encode(Revocations()))
    documents = ["--trust", str(tmp_path / "trust.json"), "--revocations", str(tmp_path / "revocations.json")]
    host.assay("gate", "install", *documents)
    host.assay("gate", "enforce")
    commit = host.commit("approved")
    host.note(commit, endorsed(commit))
    assert host.push("main", notes.REF)[0]


# --- the log ---------------------------------------------------------------------------------------------------------


def test_where_the_log_is_asked_for_a_proof_in_the_folder_shows_it(host: Host, tmp_path: Path) -> None:
    origin, own, folder = "log.example/1", signer("ed25519"), tmp_path / "endorsements"
    folder.mkdir()
    trust_folder(host.trust, log=LogTrust(origin, note.verifier_of(origin, own.public).line, required=True))
    host.gate("--folder", str(folder))
    commit = host.commit("logged")
    data = endorsed(commit)
    host.note(commit, data)
    ok, said = host.push("main", notes.REF)
    assert not ok
    assert "not-logged" in said
    name = "sha256:" + hashlib.sha256(dsse.payload_of(bundle.read(data))).hexdigest()
    leaves = [entry.line(Entry(EntryType.ENDORSE, NOW, "ada", (f"gitCommit:{commit}",), name), 0)]
    head = checkpoint.Checkpoint(origin, 1, merkle.root(1, merkle.Tree(leaves).subtree))
    (folder / f"{commit}.tlog-proof").write_bytes(proof.written(leaves[0], 0, (), checkpoint.signed(head, own)))
    ok, said = host.push("main", notes.REF)
    assert ok, said


# --- the server --------------------------------------------------------------------------------------------------------


@pytest.fixture
def serving() -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """A server that answers as ours does: address, answers by path, tokens that came."""
    import threading  # noqa: PLC0415
    from http.server import BaseHTTPRequestHandler, HTTPServer  # noqa: PLC0415

    answers: dict[str, bytes] = {}
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            body = answers.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers, tokens
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.enable_socket
def test_the_server_is_asked_where_nothing_nearer_approves(
    host: Host, tmp_path: Path, serving: tuple[str, dict[str, bytes], list[str]]
) -> None:
    address, answers, tokens = serving
    token = tmp_path / "token"
    token.write_text("a-token\n")
    token.chmod(0o600)
    host.gate("--server", address, "--token-file", str(token))
    commit = host.commit("at the server")
    assert not host.push("main")[0]
    answers[f"/api/v1/attestations/gitCommit%3A{commit}"] = b'{"attestations": [{"bundle": ' + endorsed(commit) + b"}]}"
    assert host.push("main")[0]
    assert tokens == ["Bearer a-token"] * 2


@pytest.mark.enable_socket
def test_a_server_that_lies_is_not_believed_and_one_that_is_silent_refuses(
    host: Host, serving: tuple[str, dict[str, bytes], list[str]]
) -> None:
    address, answers, _ = serving
    host.gate("--server", address)
    commit = host.commit("forged")
    answers[f"/api/v1/attestations/gitCommit%3A{commit}"] = b'{"attestations": [{"bundle": ' + endorsed(commit, by=signer()) + b"}]}"
    ok, said = host.push("main")
    assert not ok
    assert "no-trusted-signature" in said
    host.gate("--server", "http://127.0.0.1:9")
    ok, said = host.push("main")
    assert not ok
    assert "cannot be told" in said
