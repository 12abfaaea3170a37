from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Repo

GOOD = "def f(a, b):\n    return a + b\n"
BAD = "\n\ndef g(cmd):\n    import subprocess\n\n    return subprocess.call(cmd, shell=True)\n"


def stopped(repo: Repo) -> str:
    """A repository with a change that is stopped; gives the finding's short id."""
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py=GOOD + BAD)
    found = re.search(r"assay explain ([0-9a-f]{12})", repo.assay("check").out)
    assert found
    return found[1]


def test_a_finding_is_explained_offline_with_safe_code_of_its_language(repo: Repo) -> None:
    said = repo.assay("explain", stopped(repo))
    assert said.code == 0
    assert "a.py" in said.out
    assert "subprocess" in said.out
    assert "CWE-78" in said.out


def test_a_rule_and_a_family_are_explained_too(repo: Repo) -> None:
    assert "CWE-89" in repo.assay("explain", "sql-injection").out
    assert "CWE-78" in repo.assay("explain", "ruff/S602").out
    assert repo.assay("explain", "ruff/S99999").code == 2
    assert repo.assay("explain", "ffffffffffff").code == 2


def test_a_waiver_lets_the_change_through_until_its_end_and_no_longer(repo: Repo) -> None:
    name = stopped(repo)
    said = repo.assay("waive", name, "--reason", 'an internal "tool"', "--days", "30")
    assert said.code == 0, said.err
    assert "2026-12-23" in (repo.path / "assay.toml").read_text()
    assert repo.assay("check").code == 0
    repo.env = {**repo.env, "ASSAYMARK_TODAY": "2026-12-24"}
    assert repo.assay("check").code == 1


def test_a_waiver_needs_a_reason_an_owner_and_an_end(repo: Repo) -> None:
    name = stopped(repo)
    assert repo.assay("waive", name, "--days", "3").code == 2
    assert repo.assay("waive", name, "--reason", "r").code == 2
    assert repo.assay("waive", name, "--reason", "r", "--until", "soon").code == 2
    assert repo.assay("waive", "--reason", "r", "--days", "3").code == 2
    assert not (repo.path / "assay.toml").exists()


def test_a_waiver_leaves_every_other_byte_of_the_policy_as_it_is(repo: Repo) -> None:
    name = stopped(repo)
    before = '# a remark\n[policy]\nlevel = "production" # why\n'
    (repo.path / "assay.toml").write_text(before)
    repo.assay("waive", name, "--reason", "r", "--days", "3")
    assert (repo.path / "assay.toml").read_text().startswith(before)


def test_init_writes_a_policy_that_is_valid_and_refuses_to_overwrite_it(repo: Repo) -> None:
    said = repo.assay("init", "--level", "regulated")
    assert said.code == 0, said.err
    assert (repo.path / ".git/hooks/pre-commit").exists()
    assert (repo.path / ".git/hooks/pre-push").exists()
    assert repo.assay("init").code == 2
    assert repo.assay("check").code in (0, 5)


def test_a_recorded_baseline_tells_old_debt_from_new_and_keeps_its_memory(repo: Repo) -> None:
    plain = repo.path / "plain"
    plain.mkdir()
    (plain / "a.py").write_text(GOOD + BAD)
    assert repo.assay("baseline", "write", "plain", "-o", "known.json").code == 0
    assert repo.assay("check", "plain", "--baseline", "known.json").code == 0
    repo.env = {**repo.env, "ASSAYMARK_TODAY": "2027-01-01"}
    (plain / "a.py").write_text(GOOD + BAD.replace("cmd", "command"))
    assert repo.assay("check", "plain", "--baseline", "known.json").code == 0
    assert repo.assay("baseline", "write", "plain", "-o", "known.json", "--also", "line/1").code == 0
    held = json.loads((repo.path / "known.json").read_text())["findings"]
    assert held[0]["first_seen"] == "2026-11-23"
    assert held[0]["names"][0].startswith("line/1:")
    (plain / "b.py").write_text(BAD.replace("def g", "def other"))
    assert repo.assay("check", "plain", "--baseline", "known.json").code == 1
    assert "2026-11-23" in repo.assay("baseline", "show", "known.json").out


def test_what_a_baseline_could_not_check_either_is_no_new_gap(repo: Repo) -> None:
    plain = repo.path / "plain"
    plain.mkdir()
    (plain / "broken.py").write_text("def broken(:\n")
    (plain / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["flask"]\n')
    assert repo.assay("baseline", "write", "plain", "-o", "known.json").code == 0
    assert repo.assay("check", "plain", "--baseline", "known.json").code == 0
    (plain / "worse.py").write_text("def worse(:\n")
    assert repo.assay("check", "plain", "--baseline", "known.json").code == 5


def test_a_damaged_baseline_is_an_error_not_an_empty_one(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    (repo.path / "known.json").write_text('{"format": "assaymark-baseline/1"')
    assert repo.assay("check", "--baseline", "known.json").code == 2


def test_a_change_of_scheme_is_previewed_and_changes_nothing(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD + BAD + BAD.replace("def g", "def h"))
    said = repo.assay("baseline", "migrate")
    assert said.code == 0, said.err
    assert "line/1 -> scope/1" in said.out
    assert not repo.git("status", "--porcelain").out


def test_history_shows_what_each_commit_did(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.commit("bad", a_DOT_py=GOOD + BAD)
    repo.commit("repaired", a_DOT_py=GOOD)
    points = json.loads(repo.assay("history", "--json").out)["points"]
    assert [(p["new"], p["fixed"], p["outcome"]) for p in points] == [(0, 0, "pass"), (1, 0, "fail"), (0, 1, "pass")]
    assert "repaired" in repo.assay("history").out


def test_replay_compares_two_schemes_on_the_history(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD + BAD)
    repo.commit("two", a_DOT_py="import os\n\n\n" + GOOD + BAD)
    scores = json.loads(repo.assay("replay", "--json").out)["scores"]
    assert [(s["scheme"], s["surviving"], s["falsely_new"]) for s in scores] == [("scope/1", 1, 0), ("line/1", 1, 1)]


def test_secrets_of_the_whole_history_are_found_until_their_rotation_is_recorded(repo: Repo) -> None:
    hard = "hUnt3r-Zq81_kd0"
    repo.commit("one", conf_DOT_toml=f'password = "{hard}"\n')
    repo.git("rm", "-q", "conf.toml")
    repo.commit("two", a_DOT_py=GOOD)
    said = repo.assay("check", "--history")
    assert said.code == 1
    name = re.search(r"assay explain ([0-9a-f]{12})", said.out)
    assert name
    assert repo.assay("waive", name[1], "--reason", "rotated at the issuer", "--days", "30", "--rotated").code == 0
    repo.commit("three", b_DOT_py=GOOD)
    assert repo.assay("check", "--history").code == 0


def test_rules_lists_what_is_looked_for(repo: Repo) -> None:
    assert "ruff/S608" in repo.assay("rules", "sql").out
    assert "CWE-89" in repo.assay("rules", "--classes", "sql").out
    assert json.loads(repo.assay("rules", "--json", "S608").out)[0]["rule_class"] == "sql-injection"


def test_completion_scripts_name_the_command(repo: Repo) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_ASSAY_COMPLETE" in repo.assay("completion", shell).out


def test_doctor_says_what_is_here(repo: Repo) -> None:
    said = repo.assay("doctor")
    assert said.code == 0
    assert "check secrets" in said.out
