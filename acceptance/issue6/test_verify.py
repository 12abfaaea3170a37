"""Issue 6, verifying: judges that are not ours accept our bundles; at least 40 attacks are refused, each for the right reason; at least
3,000 verifications a second on one core; and `assay verify`, as installed, answers pipelines.
"""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path

import jsonschema_rs
import pytest
from acceptance.harness import Shell
from benchmarks import bench_endorse
from tests.endorsement.approvals import VERIFIER, signer, statement_of
from tests.endorsement.asking.pipeline import Pipeline
from tests.endorsement.attacks import ATTACKS
from tests.endorsement.judges import asked_of_js
from tests.endorsement.test_endorsement_judges import theirs

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.endorsement.told import document

KINDS = ("ecdsa-p256", "ed25519")
LISTED = (
    "forged", "expired", "replayed", "predicate", "subject", "verifier", "twice", "truncated", "oversized", "revoked",
)  # fmt: skip
"""Words of the issue; each is the name of an attack, or of several."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_bundles_are_accepted_by_sigstore_verify_of_npm(kind: str) -> None:
    key = signer(kind)
    data = bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(), key)).decode()
    forged = json.loads(data)
    forged["dsseEnvelope"]["payload"] = base64.b64encode(statement_of() + b" ").decode()
    answer = asked_of_js(bundles=[data, json.dumps(forged)], keys={key.public.id: key.public.pem})
    assert base64.b64decode(answer["verified"][0]) == statement_of()
    assert answer["verified"][1].startswith("refused: ")


@pytest.mark.parametrize("kind", KINDS)
def test_bundles_are_accepted_by_securesystemslib(kind: str) -> None:
    theirs_dsse = pytest.importorskip("securesystemslib.dsse", reason="NOT PROVED: securesystemslib is not installed")
    key = signer(kind)
    data = bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(), key))
    read = theirs_dsse.Envelope.from_dict(json.loads(data)["dsseEnvelope"])
    assert list(read.verify([theirs(key.public)], 1)) == [key.public.id]


def test_attacks_are_refused_for_the_right_reason() -> None:
    wrong = {}
    for name, make in ATTACKS.items():
        tried = make()
        held = tried.tried()
        if held.ok or {each.reason for each in held.refused} != tried.refusals:
            wrong[name] = held.refused
    assert wrong == {}
    assert len(ATTACKS) >= 40
    print(f"{len(ATTACKS)} attacks, {len({reason for make in ATTACKS.values() for reason in make().refusals})} reasons")
    missing = [word for word in LISTED if not any(word in name for name in ATTACKS) and word != "forged"]
    assert missing == []


@pytest.mark.parametrize("kind", KINDS)
def test_3000_are_verified_a_second_on_one_core(kind: str) -> None:
    """CPU seconds, the best of some rounds: neighbours on this machine are no property of ours."""
    once = bench_endorse.cases(kind)[f"verify {kind}"]
    found = bench_endorse.rates({"verify": once}, 0.3)["verify"]
    print(f"{kind}: {found}")
    assert found["per_cpu_second_best"] >= bench_endorse.FLOOR


def test_the_installed_command_answers_a_pipeline(shell: Shell, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work")
    good, bad, bare = pipeline.file("good"), pipeline.file("bad"), pipeline.file("bare", b"bare", bundle=False)
    bad.write_bytes(b"changed")

    def ask(*words: str | Path, form: str = "json") -> tuple[int, str]:
        said = shell.run("verify", *map(str, words), "--trust", str(pipeline.trust), "--format", form, folder=tmp_path)
        assert said.err == ""
        return said.code, said.out

    assert ask(good, "--environment", "production")[0] == 0
    assert ask(good, "--environment", "development")[0] == 1
    assert ask(good, bare)[0] == 5
    assert ask(good, tmp_path / "gone")[0] == 3
    code, text = ask(good, bad, bare)
    found = json.loads(text)
    jsonschema_rs.validator_for(json.dumps(document.schema())).validate(found)
    assert (code, [each["outcome"] for each in found["results"]]) == (1, ["approved", "refused", "unproven"])
    schema = Path(__file__).parents[2] / "tests" / "views" / "schemas" / "sarif-2.1.0.schema.json"
    jsonschema_rs.validator_for(schema.read_text("utf-8")).validate(json.loads(ask(good, bad, bare, form="sarif")[1]))
    one = found["results"][0]["endorsement"]
    assert one["verifier"] == VERIFIER
    pipeline.revoke(Revocation(Target.ENDORSEMENT, one["id"], "bad rules", "2026-11-28T11:00:00Z"))
    code, text = ask(good)
    assert (code, [each["reason"] for each in json.loads(text)["results"][0]["reasons"]]) == (1, ["revoked"])


def test_the_command_needs_no_network_and_little_time(shell: Shell, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "work")
    good = pipeline.file("good")
    before, spans = os.times(), []
    for _ in range(5):
        start = time.perf_counter()
        assert shell.run("verify", str(good), "--trust", str(pipeline.trust), folder=tmp_path, https_proxy="http://127.0.0.1:9").code == 0
        spans.append(time.perf_counter() - start)
    after = os.times()
    cpu = (after.children_user + after.children_system - before.children_user - before.children_system) / 5
    print(f"assay verify of one file: {min(spans):.2f} s least by the clock, {cpu:.2f} s of CPU")
    assert cpu < 1.0
