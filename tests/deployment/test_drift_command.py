"""`assay drift`: words in, an answer and an exit code out."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner
from tests.deployment.overlays import laid
from tests.deployment.terraform import plan, standing, state
from tests.deployment.yard import Yard
from tests.endorsement.asking.pipeline import Pipeline

from assaymark.cli import drift_there
from assaymark.cli.drift import command
from assaymark.deployment.drift.drifted import Action, Cause, Drift, Weight
from assaymark.deployment.drift.told import Outcome, Report, document, outcome, sarif, text
from assaymark.errors import AssayError
from assaymark.model.assessment import Instant


def run(*words: str | Path) -> tuple[int, str]:
    """Exit code and what was printed; an error of ours is its code and its words."""
    ran = CliRunner().invoke(command, list(map(str, words)), standalone_mode=False)
    if isinstance(ran.exception, AssayError):
        return ran.exception.exit_code, ran.exception.diagnosis()
    if ran.exception is not None:
        raise ran.exception
    return ran.return_value, ran.output


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "etc").mkdir(parents=True)
    (made / "etc/conf").write_bytes(b"one\n")
    (made / "data").mkdir()
    assert run(made, "--write-manifest", tmp_path / "manifest")[0] == 0
    return made


def test_an_untouched_tree_ends_with_0_and_a_drift_with_1(tree: Path, tmp_path: Path) -> None:
    code, said = run(tree, "--manifest", tmp_path / "manifest")
    assert (code, said.splitlines()[-1]) == (0, f"as-endorsed: 0 drifts; looked at {tree}")
    (tree / "etc/conf").write_bytes(b"two\n")
    code, said = run(tree, "--manifest", tmp_path / "manifest", "--name", "host-1")
    assert code == 1
    assert said.splitlines()[0] == "high      etc/conf  content  in host-1  -> replace"
    assert said.splitlines()[-1] == "drifted: 1 drift; looked at host-1"


def test_the_manifest_s_digest_is_told_and_is_that_of_the_file(tree: Path, tmp_path: Path) -> None:
    code, said = run(tree, "--write-manifest", tmp_path / "again")
    assert (code, said) == (0, f"sha256:{hashlib.sha256((tmp_path / 'manifest').read_bytes()).hexdigest()}  4 entries\n")


def test_json_says_everything(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/conf").chmod(0o666)
    os.mkfifo(tree / os.fsdecode(b"\xff"))
    code, said = run(tree, "--manifest", tmp_path / "manifest", "-f", "json")
    found = json.loads(said)
    assert code == 1
    assert (found["format"], found["version"], found["outcome"], found["looked"]) == ("assaymark/drift", "1.0", "drifted", [str(tree)])
    assert {(each["what"], each["kind"], each["weight"], each["action"]) for each in found["drifts"]} == {
        ("etc/conf", "mode", "critical", "replace"), ("\\xff", "added", "medium", "replace"),
    }  # fmt: skip


def test_what_is_looked_away_from_is_told_and_counts_again_after_its_end(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/conf").write_bytes(b"two\n")
    words = (tree, "--manifest", tmp_path / "manifest", "--ignore")
    code, said = run(*words, "etc/*=2999-01-01T00:00:00Z")
    assert code == 0
    assert "-> ignore until 2999-01-01T00:00:00.000Z" in said
    assert run(*words, "etc/*=2001-01-01T00:00:00Z")[0] == 1


def test_data_is_not_compared_and_that_is_said(tree: Path, tmp_path: Path) -> None:
    (tree / "data/x").write_bytes(b"")
    code, said = run(tree, "--manifest", tmp_path / "manifest", "--data", "data")
    assert code == 0
    assert "note: not compared: data" in said


def test_a_memory_is_kept_for_its_owner_alone_and_says_how_much_it_knew(tree: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    words = (tree, "--manifest", tmp_path / "manifest", "--memory", memory)
    assert "note: everything was read" in run(*words)[1]
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert "entries were remembered" in run(*words)[1]
    assert "note: everything was read" in run(*words, "--full")[1]


def test_a_container_s_directories_are_looked_at(tmp_path: Path) -> None:
    made = laid(tmp_path)
    lowers = [word for each in made.below for word in ("--lower", each)]
    assert run("--upper", made.upper, *lowers)[0] == 0
    (made.upper / "x").write_bytes(b"")
    code, said = run("--upper", made.upper, *lowers, "--name", "web-1")
    assert code == 1
    assert "x  added  in web-1" in said


def test_infrastructure_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "desired").write_bytes(plan(standing()))
    (tmp_path / "observed").write_bytes(state(standing()[1:]))
    code, said = run("--desired", tmp_path / "desired", "--observed", tmp_path / "observed")
    assert code == 1
    assert "aws_security_group.web  removed" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "nothing is named"),
        (("tree",), "a tree needs --manifest"),
        (("--manifest", "x"), "--manifest needs a tree"),
        (("--upper", "x"), "belong together"),
        (("--desired", "x"), "--desired needs --observed"),
        (("--observed", "x", "--key", "k"), "for a manifest"),
        (("--instances", "web"), "is no pair"),
        (("--observed", "x", "--tell", "web"), "is no pair"),
        (("t", "--manifest", "m", "--ignore", "x"), "has no end"),
        (("t", "--manifest", "none"), "cannot be read"),
        (("--observed", "none"), "cannot be read"),
        (("--write-manifest", "x"), "needs a tree"),
        (("t", "--manifest", "m", "--watch", "-f", "sarif"), "goes on"),
        (("--observed", "x", "--watch"), "watches one tree"),
    ],
)
def test_what_makes_no_sense_ends_with_2_and_says_why(words: tuple[str, ...], why: str) -> None:
    code, said = run(*words)
    assert code == 2
    assert why in said


def test_a_tree_that_is_not_there_ends_with_3(tree: Path, tmp_path: Path) -> None:
    assert run(f"{tree}-none", "--manifest", tmp_path / "manifest")[0] == 3


# --- only what is endorsed is a measure ------------------------------------------------------------------------------


def test_a_manifest_is_a_measure_only_when_it_is_endorsed(tree: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "trusting")
    manifest = pipeline.file("tree.manifest", (tmp_path / "manifest").read_bytes())
    words = (tree, "--manifest", manifest, "--trust", pipeline.trust)
    code, said = run(*words)
    assert code == 0
    assert f"{manifest} is endorsed by sha256:" in said
    (tree / "etc/conf").write_bytes(b"two\n")
    assert run(tree, "--write-manifest", manifest)[0] == 0
    code, said = run(*words)
    assert code == 5
    assert "is not endorsed" in said


def test_a_desired_state_is_one_only_when_it_is_endorsed(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "trusting")
    desired = pipeline.file("desired", plan(standing()))
    (tmp_path / "observed").write_bytes(state(standing()))
    words = ("--desired", desired, "--observed", tmp_path / "observed", "--trust", pipeline.trust)
    assert run(*words)[0] == 0
    desired.write_bytes(plan(standing()[1:]))
    assert run(*words)[0] == 5


# --- told ------------------------------------------------------------------------------------------------------------

DRIFTS = (
    Drift("web-1", "bin/[x](y)", "content", "a", "b", Weight.CRITICAL, Action.REPLACE, cause=Cause(Instant(1), 7, 0, "vi \x1b x")),
    Drift("web-1", "var/x", "added", "nothing", "file", Weight.LOW, Action.IGNORE, Instant(4_102_444_800_000_000)),
)
UNSEEN = Drift("web-1", "changes", "unseen", "to be looked at", "no overlay", Weight.HIGH, Action.ALERT)


def report(*drifts: Drift) -> Report:
    return Report(Instant(0), ("web-1",), drifts)


def test_the_outcome_is_that_of_the_heaviest_kind() -> None:
    assert outcome(report()) is Outcome.AS_ENDORSED
    assert outcome(report(DRIFTS[1])) is Outcome.AS_ENDORSED
    assert outcome(report(UNSEEN)) is Outcome.UNSEEN
    assert outcome(report(UNSEEN, DRIFTS[0])) is Outcome.DRIFTED


def test_text_says_who_did_it_and_steers_no_terminal() -> None:
    said = text.render(report(*DRIFTS))
    assert "by process 7 of user 0 (vi" in said
    assert "\x1b" not in said
    assert "2 drifts, 1 of them looked away from" in said


def test_a_line_of_a_watch_is_one_line_of_json() -> None:
    line = document.line(DRIFTS[0])
    assert line.count("\n") == 1
    assert json.loads(line)["cause"] == {"at": "1970-01-01T00:00:00.000Z", "pid": 7, "uid": 0, "program": "vi \x1b x"}


def test_sarif_holds_to_its_schema_and_tells_gaps_as_notifications() -> None:
    log: dict[str, Any] = json.loads(sarif.render(report(*DRIFTS, UNSEEN)))
    schema = (Path(__file__).parents[1] / "views" / "schemas" / "sarif-2.1.0.schema.json").read_text("utf-8")
    assert [f"{list(each.instance_path)}: {each.message}" for each in jsonschema_rs.validator_for(schema).iter_errors(log)] == []
    run_ = log["runs"][0]
    assert [each["ruleId"] for each in run_["results"]] == ["drift/content/critical", "drift/added/low"]
    assert run_["results"][1]["suppressions"]
    assert run_["invocations"][0]["executionSuccessful"] is False
    assert "](" not in run_["results"][0]["message"]["text"].replace("\\](", "")


# --- a server that is told -------------------------------------------------------------------------------------------


class Server:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []

    def asked(self, method: str, path: str, body: Any) -> dict[str, Any]:
        self.told.append((method, path, body))
        return {}


def test_a_server_is_told_what_was_found_and_what_was_looked_at(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(drift_there, "server_at", lambda *_: server)
    (tree / "etc/conf").write_bytes(b"two\n")
    words = ("--manifest", tmp_path / "manifest", "--tell", "production/hosts", "--server", "https://assay.example.org", "--name", "host-1")
    assert run(tree, *words)[0] == 1
    ((method, path, body),) = server.told
    assert (method, path) == ("POST", "/deployments/drifts")
    assert (body["environment"], body["component"], body["looked"]) == ("production", "hosts", ["host-1"])
    assert [(each["where"], each["what"], each["action"]) for each in body["drifts"]] == [("host-1", "etc/conf", "replace")]


# --- instances of a pair ---------------------------------------------------------------------------------------------


def test_instances_of_a_pair_are_looked_at_by_its_journal_and_terms(tmp_path: Path) -> None:
    digest, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    yard = Yard(tmp_path)
    yard.approve(digest)
    assert yard.deploy(digest).code == 0
    words = ("drift", "--instances", "production/web", "-f", "json")
    said = yard.run(*words)
    assert (said.code, said.document["outcome"], len(said.document["looked"])) == (0, "as-endorsed", 2)
    victim = said.document["looked"][0]
    yard.platform.change(victim, digest=other)
    said = yard.run(*words)
    assert said.code == 1
    assert [(each["where"], each["kind"], each["observed"]) for each in said.document["drifts"]] == [(victim, "digest", other)]
    yard.write('[deploy.production.web.drift]\nignore = [{what = "digest", until = "2999-01-01T00:00:00Z"}]\n')
    assert yard.run(*words).code == 0
