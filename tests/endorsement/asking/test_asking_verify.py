"""`assay verify` in a pipeline: what it takes, how it ends, what it says, and to whom."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from lxml import etree
from tests.endorsement.approvals import VERIFIER, signer
from tests.endorsement.asking.pipeline import DAY, Pipeline, at

from assaymark.endorsement.log import checkpoint, entry, merkle, note, proof
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.told import document
from assaymark.endorsement.told.reasons import MEANING
from assaymark.endorsement.trust import LogTrust
from assaymark.endorsement.verify import Refusal
from assaymark.model.assessment import Instant
from assaymark.subjects.manifest import Form, manifest_of

SCHEMAS = Path(__file__).parents[2] / "views" / "schemas"


def reasons(found: dict[str, Any]) -> list[list[str]]:
    return [[each["reason"] for each in result["reasons"]] for result in found["results"]]


# --- what can be named -----------------------------------------------------------------------------------------------


def test_a_file_is_approved_by_the_bundle_beside_it(pipeline: Pipeline) -> None:
    path = pipeline.file("app.tar.gz")
    code, said = pipeline.run(path)
    assert code == 0
    assert said.startswith("approved")
    assert VERIFIER in said


def test_another_file_with_that_bundle_is_refused(pipeline: Pipeline) -> None:
    path = pipeline.file("app.tar.gz")
    path.write_bytes(b"something else")
    code, found = pipeline.answer(path)
    assert (code, reasons(found)) == (1, [[Refusal.SUBJECT]])


@pytest.mark.parametrize("form", Form)
def test_a_folder_is_known_by_its_manifest_with_or_without_owners(pipeline: Pipeline, form: Form) -> None:
    tree = pipeline.folder / "site"
    tree.mkdir()
    (tree / "index.html").write_text("hello")
    digest = manifest_of(str(tree), form).digest
    tree.with_name("site.sigstore.json").write_bytes(pipeline.endorsed({"sha256": digest.partition(":")[2]}))
    words = ["--owned"] if form is Form.OWNED else []
    assert pipeline.run(tree, *words)[0] == 0
    assert pipeline.run(tree, *(["--owned"] if form is Form.PORTABLE else []))[0] == 1
    (tree / "index.html").write_text("hacked")
    code, found = pipeline.answer(tree, *words)
    assert (code, reasons(found)) == (1, [[Refusal.SUBJECT]])


def test_the_manifest_of_a_folder_can_be_kept_and_its_digest_is_the_folders(pipeline: Pipeline) -> None:
    tree = pipeline.folder / "site"
    tree.mkdir()
    kept = pipeline.folder / "site.manifest"
    code, found = pipeline.answer(tree, "--manifest", kept)
    assert code == 5
    assert found["results"][0]["digest"] == "sha256:" + hashlib.sha256(kept.read_bytes()).hexdigest()
    assert pipeline.run(pipeline.file("f"), "--manifest", kept)[0] == 3


@pytest.fixture
def repository(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = pipeline.folder / "repository"
    made.mkdir()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(made)
    git("init", "-q", "-b", "main")
    (made / "a").write_text("a")
    git("add", "-A")
    git("commit", "-qm", "first")
    return made


def git(*words: str) -> str:
    who = [part for pair in ("user.name=Ada", "user.email=ada@example.org") for part in ("-c", pair)]
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(("name", "rev"), [("gitCommit", "HEAD"), ("gitTree", "HEAD^{tree}")])
def test_a_commit_is_approved_by_its_id_or_by_that_of_its_tree(pipeline: Pipeline, repository: Path, name: str, rev: str) -> None:
    bundle = pipeline.folder / "commit.sigstore.json"
    bundle.write_bytes(pipeline.endorsed({name: git("rev-parse", rev)}))
    assert pipeline.run("HEAD", "--bundle", bundle)[0] == 0
    assert pipeline.run("main", "--bundle", bundle)[0] == 0
    (repository / "a").write_text("b")
    git("commit", "-qam", "second")
    code, found = pipeline.answer("HEAD", "--bundle", bundle)
    assert (code, reasons(found)) == (1, [[Refusal.SUBJECT]])


def test_the_endorsement_of_a_commit_is_found_in_the_repositorys_notes(pipeline: Pipeline, repository: Path) -> None:
    assert pipeline.run("HEAD")[0] == 5
    note = pipeline.folder / "note"
    note.write_bytes(pipeline.endorsed({"sha256": "1" * 64}) + b"\n" + pipeline.endorsed({"gitCommit": git("rev-parse", "HEAD")}) + b"\n")
    git("notes", "--ref=endorsements", "add", "-F", str(note), "HEAD")
    code, found = pipeline.answer("HEAD")
    assert (code, found["results"][0]["outcome"]) == (0, "approved")
    assert "refs/notes/endorsements" in found["results"][0]["place"]


@pytest.mark.parametrize("word", ["registry.example/shop/web@sha256:" + "ab" * 32, "sha256:" + "ab" * 32, "sha256:" + "AB" * 32])
def test_images_and_digests_are_looked_for_in_a_folder_of_bundles(pipeline: Pipeline, word: str) -> None:
    bundles = pipeline.folder / "bundles"
    bundles.mkdir()
    (bundles / "other.sigstore.json").write_bytes(pipeline.endorsed({"sha256": "1" * 64}))
    assert pipeline.run(word, "--bundle", bundles)[0] == 5
    (bundles / "web.sigstore.json").write_bytes(pipeline.endorsed({"sha256": "9" * 64}, {"sha256": "ab" * 32}))
    assert pipeline.run(word, "--bundle", bundles)[0] == 0


@pytest.mark.parametrize("word", ["registry.example/shop/web:1.2", "web:latest@sha256:short", "no such thing", "-"])
def test_what_names_nothing_is_unreadable_and_a_tag_is_told_to_be_one(pipeline: Pipeline, word: str, repository: Path) -> None:
    code, found = pipeline.answer(word)
    assert code == 3
    assert found["results"][0]["problem"]
    if word.endswith("1.2"):
        assert "a tag of an image" in found["results"][0]["problem"]


def test_neither_a_fifo_nor_a_link_into_nothing_is_waited_for(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.folder / "fifo")
    (pipeline.folder / "link").symlink_to("nowhere")
    assert pipeline.run(pipeline.folder / "fifo")[0] == 3
    assert pipeline.run(pipeline.folder / "link")[0] == 3


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_each_of_several_is_answered_by_itself_and_the_worst_counts(pipeline: Pipeline) -> None:
    good, bad = pipeline.file("good"), pipeline.file("bad")
    bad.write_bytes(b"changed")
    bare, gone = pipeline.file("bare", b"bare", bundle=False), pipeline.folder / "gone"
    code, found = pipeline.answer(good, bare, bad, gone)
    assert [each["outcome"] for each in found["results"]] == ["approved", "unproven", "refused", "unreadable"]
    assert (code, found["outcome"]) == (1, "refused")
    assert pipeline.answer(good, bare, gone)[0] == 3
    assert pipeline.answer(good, bare)[0] == 5
    assert pipeline.answer(good)[0] == 0


EXPECTED: dict[str, tuple[list[str], Refusal]] = {
    "resource": (["--resource", "oci://registry.example/shop/other"], Refusal.RESOURCE),
    "environment": (["--environment", "development"], Refusal.ENVIRONMENT),
    "level": (["--level", "SLSA_BUILD_LEVEL_3"], Refusal.LEVEL),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_asked_besides_is_asked(pipeline: Pipeline, name: str) -> None:
    words, refusal = EXPECTED[name]
    path = pipeline.file("f")
    good = ["--resource", "oci://registry.example/shop/web", "--environment", "production", "--level", "SLSA_BUILD_LEVEL_1"]
    assert pipeline.run(path, *good, "--max-age", "1")[0] == 0
    code, found = pipeline.answer(path, *words)
    assert (code, reasons(found)) == (1, [[refusal]])


def test_what_is_too_old_for_the_pipeline_is_refused(pipeline: Pipeline) -> None:
    path = pipeline.file("f", time_verified=at(-2 * DAY))
    assert pipeline.run(path, "--max-age", "3")[0] == 0
    code, found = pipeline.answer(path, "--max-age", "1")
    assert (code, reasons(found)) == (1, [[Refusal.TOO_OLD]])


def test_what_was_revoked_is_refused_although_another_endorsement_is_there_only_when_it_is_revoked_too(pipeline: Pipeline) -> None:
    path = pipeline.file("f")
    _, found = pipeline.answer(path)
    one = found["results"][0]["endorsement"]["id"]
    pipeline.revoke(Revocation(Target.ENDORSEMENT, one, "bad rules", at(-60)))
    code, found = pipeline.answer(path)
    assert (code, reasons(found)) == (1, [[Refusal.REVOKED]])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("f.intoto.jsonl").write_bytes(pipeline.endorsed({"sha256": digest}, time_verified=at(-60)))
    assert pipeline.answer(path)[0] == 0
    pipeline.revoke(Revocation(Target.SUBJECT, f"sha256:{digest}", "malware", at(-60)))
    assert pipeline.answer(path)[0] == 1


def test_a_key_and_its_verifier_are_enough_and_the_missing_revocations_are_said(pipeline: Pipeline) -> None:
    path, pem = pipeline.file("f"), pipeline.folder / "key.pem"
    pem.write_text(pipeline.key.public.pem)
    code, said = pipeline.run(path, "--key", pem, "--verifier", VERIFIER, trusting=False)
    assert code == 0
    assert "no list of revocations" in said
    code, said = pipeline.run(path, "--key", pem, "--verifier", VERIFIER + "0", trusting=False)
    assert code == 1
    assert "wrong-verifier" in said
    pem.write_text(signer().public.pem)
    assert "no-trusted-signature" in pipeline.run(path, "--key", pem, "--verifier", VERIFIER, trusting=False)[1]
    assert pipeline.run(path, "--key", path, "--verifier", VERIFIER, trusting=False)[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        [], ["--key", "k.pem"], ["--verifier", "x", "--trust", "t"], ["--trust", "nowhere"], ["--trust", "nowhere", "--key", "k"],
    ],
)  # fmt: skip
def test_whom_to_believe_has_to_be_said_and_to_make_sense(pipeline: Pipeline, words: list[str]) -> None:
    assert pipeline.run(pipeline.file("f"), *words, trusting=False)[0] == 2


@pytest.mark.parametrize("name", ["trust.json", "revocations.json"])
def test_a_document_of_trust_that_cannot_be_read_verifies_nothing(pipeline: Pipeline, name: str) -> None:
    path = pipeline.file("f")
    (pipeline.trust / name).write_bytes(b'{"roots": [], "roots": []}')
    assert pipeline.run(path)[0] == 2


def test_a_bundle_that_was_named_and_is_not_there_is_said(pipeline: Pipeline) -> None:
    code, found = pipeline.answer(pipeline.file("f"), "--bundle", pipeline.folder / "nowhere")
    assert code == 3
    assert "nowhere" in found["results"][0]["problem"]


def test_a_log_that_is_asked_for_needs_a_proof(pipeline: Pipeline) -> None:
    pipeline.believe(log=LogTrust("log.example", "log.example+00000000+AAAA", required=True))
    code, found = pipeline.answer(pipeline.file("f"))
    assert (code, reasons(found)) == (1, [[Refusal.NOT_LOGGED]])


def test_a_proof_without_a_log_to_believe_is_no_use(pipeline: Pipeline) -> None:
    path = pipeline.file("f")
    assert pipeline.run(path, "--proof", path)[0] == 2


# --- what it says ----------------------------------------------------------------------------------------------------

EVIL = "\x1b[31mapproved\u202e](https://evil.example)<b>&\"'\n"


@pytest.fixture
def several(pipeline: Pipeline) -> list[Path]:
    """One of each outcome, with names that want to be obeyed."""
    bad = pipeline.file("bad" + EVIL.replace("/", "_"))
    bad.write_bytes(b"changed")
    odd = pipeline.folder / os.fsdecode(b"caf\xe9")
    odd.write_bytes(b"odd")
    expired = pipeline.file("expired", time_verified=at(-2 * DAY), resource_uri="oci://" + EVIL)
    return [pipeline.file("good"), bad, odd, expired, pipeline.folder / "gone"]


def test_the_json_keeps_to_its_packaged_schema(pipeline: Pipeline, several: list[Path]) -> None:
    packaged = Path(document.__file__).with_name("verification-1.schema.json").read_text("utf-8")
    assert json.loads(packaged) == document.schema()
    validator = jsonschema_rs.validator_for(packaged)
    code, found = pipeline.answer(*several)
    validator.validate(found)
    assert code == 1
    assert (found["format"], found["version"], found["trustNumber"]) == ("assaymark/verification", "1.2", 7)
    assert not validator.is_valid({**found, "outcome": "perhaps"})


def test_the_sarif_keeps_to_its_schema_and_names_what_is_refused(pipeline: Pipeline, several: list[Path]) -> None:
    _, text = pipeline.run(*several, "--format", "sarif", "--max-age", "1")
    log = json.loads(text)
    errors = jsonschema_rs.validator_for((SCHEMAS / "sarif-2.1.0.schema.json").read_text("utf-8")).iter_errors(log)
    assert [f"{list(each.instance_path)}: {each.message}" for each in errors] == []
    (run,) = log["runs"]
    assert [each["ruleId"] for each in run["results"]] == ["verify/wrong-subject", "verify/too-old"]
    assert all(run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert sorted(each["descriptor"]["id"] for each in notes) == ["assaymark/no-endorsement", "assaymark/unreadable"]
    assert not run["invocations"][0]["executionSuccessful"]
    assert len(run["properties"]["assaymark/approved"]) == 1
    assert "\x1b" not in text
    assert "](" not in run["results"][0]["message"]["text"].replace("\\](", "")


def test_the_sarif_of_what_is_approved_has_no_result(pipeline: Pipeline) -> None:
    code, text = pipeline.run(pipeline.file("good"), "--format", "sarif")
    (run,) = json.loads(text)["runs"]
    assert (code, run["results"], run["invocations"][0]["executionSuccessful"]) == (0, [], True)


def test_the_junit_keeps_to_its_schema(pipeline: Pipeline, several: list[Path]) -> None:
    _, text = pipeline.run(*several, "--format", "junit", "--max-age", "1")
    tree = etree.fromstring(text.encode())
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "jenkins-junit-10.xsd"))
    assert schema.validate(tree), str(schema.error_log)
    suite = tree.find("testsuite")
    assert suite is not None
    assert [case[0].tag if len(case) else "" for case in suite.iter("testcase")] == ["", "failure", "error", "failure", "error"]
    assert (suite.get("failures"), suite.get("errors")) == ("2", "2")


def test_the_text_obeys_nothing_of_what_others_wrote(pipeline: Pipeline, several: list[Path]) -> None:
    _, text = pipeline.run(*several, "--max-age", "1")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")] == [
        "approved", "refused", "unproven", "refused", "unreadable", "refused:",
    ]  # fmt: skip


def test_the_answer_can_be_written_to_a_file(pipeline: Pipeline) -> None:
    target = pipeline.folder / "answer.json"
    code, said = pipeline.run(pipeline.file("f"), "--format", "json", "--output", target)
    assert (code, said) == (0, "")
    assert msgspec.json.decode(target.read_bytes())["outcome"] == "approved"
    assert pipeline.run(pipeline.file("f"), "--output", pipeline.folder / "no" / "such")[0] == 2


def test_every_reason_has_words_for_people() -> None:
    assert set(MEANING) == set(Refusal)
    assert all(meaning and advice for meaning, advice in MEANING.values())


# --- the log's proof -------------------------------------------------------------------------------------------------


def test_a_proof_beside_the_bundle_shows_that_it_stands_in_the_log_and_another_does_not(pipeline: Pipeline) -> None:
    key = signer("ed25519")
    pipeline.believe(log=LogTrust("log.example", note.verifier_of("log.example", key.public).line, required=True))
    path = pipeline.file("f")
    _, found = pipeline.answer(path)
    one = found["results"][0]["endorsement"]["id"]
    proofs = {}
    for name, kind, about in (
        ("right", EntryType.ENDORSE, one), ("of another", EntryType.ENDORSE, "sha256:" + "0" * 64),
        ("of its revocation", EntryType.REVOKE, one),
    ):  # fmt: skip
        line = entry.line(Entry(kind, Instant(1), "ada", ("sha256:" + "0" * 64,), about), 0)
        head = checkpoint.signed(Checkpoint("log.example", 1, merkle.root(1, merkle.Tree([line]).subtree)), key)
        proofs[name] = proof.written(line, 0, (), head)
    beside = path.with_name("f.tlog-proof")
    beside.write_bytes(proofs["right"])
    assert pipeline.run(path)[0] == 0
    for name in ("of another", "of its revocation"):
        beside.write_bytes(proofs[name])
        code, found = pipeline.answer(path)
        assert (code, reasons(found)) == (1, [[Refusal.NOT_LOGGED]])
    elsewhere = pipeline.folder / "elsewhere"
    elsewhere.write_bytes(proofs["right"])
    assert pipeline.run(path, "--proof", elsewhere)[0] == 0
    elsewhere.write_bytes(proofs["right"][:-9])
    assert pipeline.run(path, "--proof", elsewhere)[0] == 1
