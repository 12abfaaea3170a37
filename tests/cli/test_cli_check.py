from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Repo

GOOD = "def f(a, b):\n    return a + b\n"
BAD = "\n\ndef g(cmd):\n    import subprocess\n\n    return subprocess.call(cmd, shell=True)\n"


def verdict(repo: Repo, *args: str) -> dict[str, object]:
    said = repo.assay("check", *args, "--format", "json")
    assert said.code in (0, 1, 5), said.err
    return json.loads(said.out)["verdict"]  # type: ignore[no-any-return]


def test_a_change_that_brings_a_defect_fails_with_its_fix(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py=GOOD + BAD)
    said = repo.assay("check")
    assert said.code == 1
    assert "FAIL" in said.out
    assert "fix" in said.out
    assert "assay explain" in said.out


def test_a_change_that_brings_none_passes_although_old_defects_stand(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD + BAD)
    repo.write(a_DOT_py="import sys\n" + GOOD + BAD, b_DOT_py=GOOD)
    assert repo.assay("check").code == 0


def test_what_is_staged_is_judged_not_what_lies_in_the_folder(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py=GOOD + BAD)
    assert repo.assay("check", "--staged").code == 0
    repo.git("add", "-A")
    repo.write(a_DOT_py=GOOD)
    assert repo.assay("check", "--staged").code == 1


def test_a_commit_a_range_and_a_merge_base_are_compared_as_git_users_expect(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.git("branch", "side")
    repo.commit("two", a_DOT_py=GOOD + BAD)
    assert repo.assay("check", "HEAD").code == 1
    assert repo.assay("check", "HEAD~1..HEAD").code == 1
    repo.git("checkout", "-q", "side")
    repo.commit("three", c_DOT_py=GOOD)
    assert repo.assay("check", "main...side").code == 0
    assert repo.assay("check", "--base", "main").code == 0
    assert repo.assay("check", "HEAD~1").code == 0


def test_all_judges_everything_there_is(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD + BAD)
    assert repo.assay("check").code == 0
    found = verdict(repo, "--all")
    assert found["outcome"] == "fail"
    assert found["whole"] is True


def test_a_file_that_does_not_parse_leaves_the_change_unproven(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py="def broken(:\n")
    said = repo.assay("check")
    assert said.code == 5
    assert "could not check" in said.out


def test_loosening_the_policy_is_stopped_and_named(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD, assay_DOT_toml="")
    repo.write(assay_DOT_toml='[checks]\ndisable = ["ruff"]\n', a_DOT_py=GOOD + BAD)
    said = repo.assay("check")
    assert said.code == 1
    assert "check ruff was switched off" in said.out
    assert "checks.disable:ruff" in said.out
    assert "HIGH" in said.out


def test_a_second_run_reads_nothing_again(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD + f"\nunique = {id(repo)}\n")
    verdict(repo, "--all")
    runs = verdict(repo, "--all")["checks"]
    assert runs
    assert all(run["hits"] == run["inputs"] for run in runs)  # type: ignore[attr-defined]


def test_with_and_without_memory_the_verdict_is_the_same(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py=GOOD + BAD, b_DOT_py="def broken(:\n")
    with_memory, without = verdict(repo), verdict(repo, "--no-memory")
    assert [with_memory[k] for k in ("outcome", "reasons", "findings")] == [without[k] for k in ("outcome", "reasons", "findings")]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["no-such-revision"], "no-such-revision"),
        (["--staged", "HEAD"], "both given"),
        (["--report", "sarif"], "names no file"),
        (["--baseline", "nothing.json"], "cannot be read"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_advice(repo: Repo, args: list[str], said: str) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    answer = repo.assay("check", *args)
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_wrong_policy_is_told_with_the_setting(repo: Repo) -> None:
    repo.commit("one", assay_DOT_toml='[policy]\nlevel = "strict"\n')
    repo.write(a_DOT_py=GOOD)
    answer = repo.assay("check")
    assert answer.code == 2
    assert "strict" in answer.err


def test_secrets_that_came_and_went_within_a_range_are_told(repo: Repo) -> None:
    hard = "hUnt3r-Zq81_kd0"
    repo.commit("one", a_DOT_py=GOOD)
    repo.commit("two", conf_DOT_toml=f'password = "{hard}"\n')
    repo.git("rm", "-q", "conf.toml")
    repo.git("commit", "-q", "-m", "three")
    found = verdict(repo, "HEAD~2..HEAD")
    assert found["outcome"] == "fail"


def test_the_value_of_a_secret_is_in_no_output_and_in_no_file_that_is_kept(repo: Repo) -> None:
    value = "hUnt3r-" + "Zq81_kd0"
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(conf_DOT_toml=f'password = "{value}"\n')
    outputs = [repo.assay("check", "--format", form).out for form in ("terminal", "json", "sarif", "html", "markdown", "junit", "github")]
    assert all(output and value not in output for output in outputs)
    cache = repo.env["ASSAYMARK_CACHE"]
    assert not repo.git("grep", "--no-index", "-a", "-l", value, "--", cache, check=False).out


def test_reports_are_written_beside_the_answer(repo: Repo) -> None:
    repo.commit("one", a_DOT_py=GOOD)
    repo.write(a_DOT_py=GOOD + BAD)
    repo.assay("check", "--report", "sarif=out.sarif", "--report", "html=out.html")
    assert json.loads((repo.path / "out.sarif").read_text())["version"] == "2.1.0"
    assert "<html" in (repo.path / "out.html").read_text()


def test_a_folder_and_an_archive_without_history_are_judged_whole(repo: Repo) -> None:
    (repo.path / "plain").mkdir()
    (repo.path / "plain" / "a.py").write_text(GOOD + BAD)
    assert repo.assay("check", "plain").code == 1
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "one")
    repo.git("archive", "--format=zip", "-o", "a.zip", "HEAD")
    assert repo.assay("check", "a.zip").code == 1
