from __future__ import annotations

import json
import shutil
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.application.code import external
from assaymark.checks.application.code.external import External, make_external, read_manifest, shipped
from assaymark.checks.application.code.ruff import Ruff
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.errors import EngineMissing, PolicyInvalid
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked, UnitKind
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, CodeSite, Layer, Span
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity

SAMPLES: dict[str, dict[str, str]] = tomllib.loads((Path(__file__).parent / "code_samples.toml").read_text("utf-8"))

FAKE = """
import json, os, sys
folder, output = sys.argv[1:3]
rows, notes = [], []
for base, _, names in os.walk(folder):
    for name in sorted(names):
        path = os.path.join(base, name)
        text = open(path, encoding="utf-8", errors="replace").read()
        for number, line in enumerate(text.split("\\n"), 1):
            elsewhere = [{"physicalLocation": {"artifactLocation": {"uri": "/x"}}}]
            place = {"artifactLocation": {"uri": PLACE(path)}, "region": {"startLine": number}}
            if "BAD" in line:
                there = [{"physicalLocation": place}]
                rows.append({"ruleId": "bad", "level": "error", "message": {"text": "seen in " + path}, "locations": there})
            if "STRAY" in line:
                rows.append({"ruleId": "stray", "message": {"text": "elsewhere"}, "locations": elsewhere})
            if "NOWHERE" in line:
                rows.append({"ruleId": "nowhere", "message": {"text": "no place"}})
            if "ERROR" in line:
                notes.append({"level": "error", "message": {"text": "cannot parse " + path}, "locations": [{"physicalLocation": place}]})
            if "GIVEUP" in line:
                notes.append({"level": "error", "message": {"text": "gave up"}})
            if "CRASH" in line:
                os.kill(os.getpid(), 9)
            if "SILENT" in line:
                sys.exit(0)
            if "GARBAGE" in line:
                open(output, "w").write("no sarif"); sys.exit(0)
            if "CODE7" in line:
                open(output, "w").write(json.dumps({"version": "2.1.0", "runs": [{"tool": {}}]})); sys.exit(7)
            if "HANG" in line:
                import time; time.sleep(60)
invocation = {"executionSuccessful": True, "toolExecutionNotifications": notes}
run = {"tool": {"driver": {"name": "fake"}}, "results": rows, "invocations": [invocation]}
json.dump({"version": "2.1.0", "runs": [run]}, open(output, "w"))
"""


def an_input(content: bytes | str, dialect: str = "txt") -> Input:
    raw = content.encode() if isinstance(content, str) else content
    return Input(sha256(raw), Dialect(dialect), (Part("", raw),))


def a_check(tmp_path: Path, text: str) -> External:
    cache = tmp_path / "cache"
    return make_external(CheckSettings(cache_dir=str(cache), installation_key=Secret(b"")), NamedFile("m.toml", text.encode()))


def a_fake(tmp_path: Path, *, place: str = "path", unit: str = "blob", seconds: float = 20, extra: str = "") -> External:
    script = tmp_path / "fake.py"
    script.write_text(FAKE.replace("PLACE(path)", place))
    command = json.dumps([sys.executable, "-S", "-E", str(script), "{input}", "{output}"])
    return a_check(
        tmp_path,
        f'id = "fake"\nlayer = "platform"\nunit = "{unit}"\nselect = ["*.txt", "Dockerfile", "conf/*"]\nversion = "1"\n'
        f"command = {command}\ntimeout-seconds = {seconds}\n{extra}",
    )


def ready(name: str, cache: Path) -> External:
    return make_external(CheckSettings(cache_dir=str(cache), installation_key=Secret(b"")), shipped(name))


def test_shipped_manifests_are_whole_and_unknown_ones_are_refused() -> None:
    assert [read_manifest(shipped(name)).id for name in ("bandit", "semgrep")] == ["bandit", "semgrep"]
    with pytest.raises(PolicyInvalid):
        shipped("../external")


def run(check: External, contents: Sequence[str]) -> dict[str, Outcome]:
    inputs = [an_input(content) for content in contents]
    outcomes = list(check.run(inputs))
    assert sorted(digest for digest, _ in outcomes) == sorted(given.digest for given in inputs)
    by_digest = dict(outcomes)
    return {content: by_digest[given.digest] for content, given in zip(contents, inputs, strict=True)}


def kind(outcome: Outcome) -> str:
    return outcome.reason_class if isinstance(outcome, Unchecked) else ",".join(s.rule for s in outcome.sightings)


@pytest.mark.parametrize(
    "place",
    ["path", "'file://' + path", "os.path.relpath(path)", "os.path.relpath(path, folder)", "'./' + os.path.relpath(path)"],
    ids=["absolute", "file", "relative", "to-input", "dotted"],
)
def test_results_find_their_input_however_the_tool_names_it(tmp_path: Path, place: str) -> None:
    outcomes = run(a_fake(tmp_path, place=place), ["one\nBAD\n", "fine\n", "BAD\nBAD 2\n"])
    assert [kind(o) for o in outcomes.values()] == ["fake/bad", "", "fake/bad,fake/bad"]


def test_a_sighting_knows_its_place_and_nothing_of_our_folders(tmp_path: Path) -> None:
    outcome = run(a_fake(tmp_path), ["a:\n  BAD = 1\n"])["a:\n  BAD = 1\n"]
    assert isinstance(outcome, Checked)
    (sighting,) = outcome.sightings
    assert sighting.site == CodeSite(("a",), "BAD = 1", "txt")
    assert sighting.span == Span(2, 1, 2, 10)
    assert (sighting.severity, sighting.confidence, sighting.message) == (Severity.HIGH, Confidence.MEDIUM, "seen in input.txt")
    assert "assay-" not in repr(outcome)


@pytest.mark.parametrize(
    ("bad", "alone"),
    [
        ("ERROR", "syntax"),
        ("GIVEUP", "engine-failed"),
        ("CRASH", "engine-failed"),
        ("SILENT", "engine-failed"),
        ("GARBAGE", "engine-failed"),
        ("CODE7", "engine-failed"),
        ("STRAY", "fake/stray"),
        ("NOWHERE", "fake/nowhere"),
    ],
)
def test_what_goes_wrong_with_one_input_is_said_of_that_input_alone(tmp_path: Path, bad: str, alone: str) -> None:
    outcomes = run(a_fake(tmp_path), ["BAD 1", "fine", bad, "BAD 2", "fine 2"])
    assert [kind(o) for o in outcomes.values()] == ["fake/bad", "", alone, "fake/bad", ""]


def test_results_without_a_place_are_kept_and_say_so(tmp_path: Path) -> None:
    outcome = run(a_fake(tmp_path), ["NOWHERE"])["NOWHERE"]
    assert isinstance(outcome, Checked)
    assert (outcome.sightings[0].span, outcome.sightings[0].notes[0][0]) == (None, "place")


def test_a_tool_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    start = time.monotonic()
    outcomes = run(a_fake(tmp_path, seconds=1), ["HANG"])
    assert kind(outcomes["HANG"]) == "timeout"
    assert time.monotonic() - start < 15


def test_a_tool_that_always_fails_costs_a_bounded_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MOST_RUNS", 4)
    outcomes = run(a_fake(tmp_path), [f"CODE7 {n}" for n in range(8)])
    assert {kind(o) for o in outcomes.values()} == {"engine-failed"}
    assert len(outcomes) == 8


def test_units_of_several_files_keep_their_members(tmp_path: Path) -> None:
    check = a_fake(tmp_path, unit="directory")
    assert check.unit == UnitKind.DIRECTORY
    parts = (Part("a/one.txt", b"BAD"), Part("two.txt", b"fine"), Part("é b/three.txt", b"x\nBAD"))
    given = Input(sha256(b"unit"), Dialect("tree"), parts)
    ((_, outcome),) = check.run([given])
    assert isinstance(outcome, Checked)
    assert [(s.member, s.span.start_line if s.span else 0) for s in outcome.sightings] == [("a/one.txt", 1), ("é b/three.txt", 2)]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_member_names_that_leave_the_folder_are_unchecked(tmp_path: Path, name: str) -> None:
    ((_, outcome),) = a_fake(tmp_path, unit="tree").run([Input(sha256(b""), Dialect("tree"), (Part(name, b""),))])
    assert kind(outcome) == "unreadable"


def test_nothing_is_left_behind_and_inputs_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = a_fake(tmp_path)
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    run(check, ["CRASH", "BAD"])
    assert list(room.iterdir()) == []


def test_a_tool_sees_little_of_the_environment_and_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_CI", "x")
    script = (
        "import os,sys,json; rows = [{'ruleId': k} for k in (*os.environ, *sys.argv[2:])];"
        "json.dump({'version': '2.1.0', 'runs': [{'tool': {}, 'results': rows}]}, sys.stdout)"
    )
    command = json.dumps([sys.executable, "-I", "-S", "-c", script, "{input}", "$HOME; `id` *"])
    check = a_check(tmp_path, f'id="e"\nlayer="application"\nunit="blob"\nselect=["*"]\nversion="1"\noutput="stdout"\ncommand={command}\n')
    ((_, outcome),) = check.run([an_input("x")])
    assert isinstance(outcome, Checked)
    seen = {s.rule.removeprefix("e/") for s in outcome.sightings}
    assert seen - {"LC_CTYPE"} == {"HOME", "LANG", "PATH", "PYTHONUTF8", "TMPDIR", "$HOME; `id` *"}


def test_files_of_the_manifest_are_written_for_the_tool(tmp_path: Path) -> None:
    script = (
        "import sys,json; json.dump({'version':'2.1.0','runs':[{'tool':{},'results':[{'ruleId':open(sys.argv[2]).read()}]}]},sys.stdout)"
    )
    command = json.dumps([sys.executable, "-I", "-S", "-c", script, "{input}", "{files}/a/rules.yml"])
    text = 'id="f"\nlayer="application"\nunit="blob"\nselect=["*"]\nversion="1"\noutput="stdout"\n'
    text += f'command={command}\n[files]\n"a/rules.yml" = "mine"\n'
    ((_, outcome),) = a_check(tmp_path, text).run([an_input("x")])
    assert kind(outcome) == "f/mine"


def test_names_select_and_carry_what_the_tool_needs(tmp_path: Path) -> None:
    check = a_fake(tmp_path)
    assert [check.select(p) for p in ("a/b.txt", "b.TXT", "x/Dockerfile", "conf/app", "other/app")] == [
        "txt",
        None,
        "name:Dockerfile",
        "name:app",
        None,
    ]
    ((_, outcome),) = check.run([an_input("BAD", "name:Dockerfile")])
    assert isinstance(outcome, Checked)
    assert outcome.sightings[0].message == "seen in Dockerfile"


GOOD = 'id="x"\nlayer="application"\nunit="blob"\nselect=["*"]\nversion="1"\ncommand=["x","{input}","{output}"]\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id="x"', 'id="../x"'),
        ('id="x"', 'id="X"'),
        ('"application"', '"kitchen"'),
        ('"blob"', '"host"'),
        ('["x","{input}","{output}"]', "[]"),
        (',"{output}"', ""),
        (',"{input}"', ""),
        ('version="1"', 'version=""'),
        ('version="1"', "version=3"),
        ("id=", "ident="),
        ("unit", "[["),
        (GOOD[-1], '\noutput="xml"\n'),
        (GOOD[-1], "\ntimeout-seconds=0\n"),
        (GOOD[-1], '\nfiles={"../a"="b"}\n'),
        ("blob", "\udcff"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_with_the_reason(old: str, new: str) -> None:
    read_manifest(NamedFile("m.toml", GOOD.encode()))
    at = GOOD.rindex(old)
    text = GOOD[:at] + new + GOOD[at + len(old) :]
    with pytest.raises(PolicyInvalid) as refused:
        read_manifest(NamedFile("m.toml", text.encode("utf-8", "surrogateescape")))
    assert refused.value.why


def test_a_missing_tool_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing):
        a_check(tmp_path, GOOD.replace('"x",', '"no-such-program-here",')).knowledge()


def test_knowledge_follows_the_manifest_and_the_program_and_asks_for_its_version_once(tmp_path: Path) -> None:
    tool, log = tmp_path / "tool", tmp_path / "log"
    tool.write_text(f"#!/bin/sh\necho asked >> {log}\necho 1.0\n")
    tool.chmod(0o755)
    text = GOOD.replace('"x",', f'"{tool}",').replace('version="1"', f'version=["{tool}", "--version"]')
    first = a_check(tmp_path, text).knowledge()
    assert a_check(tmp_path, text).knowledge() == first
    assert log.read_text() == "asked\n"
    assert a_check(tmp_path, text + "timeout-seconds = 5\n").knowledge() != first
    tool.write_text(f"#!/bin/sh\necho asked >> {log}\necho 2.0.0\n")
    assert a_check(tmp_path, text).knowledge() != first
    tool.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(EngineMissing):
        a_check(tmp_path, text).knowledge()


# --- real tools ------------------------------------------------------------------------------------------------------

needs_bandit = pytest.mark.skipif(
    shutil.which("bandit", path=str(Path(sys.executable).parent)) is None, reason="bandit[sarif] is not installed"
)
needs_ast_grep = pytest.mark.skipif(shutil.which("ast-grep") is None, reason="ast-grep is not on PATH")
needs_semgrep = pytest.mark.skipif(shutil.which("semgrep") is None, reason="semgrep is not on PATH")


@needs_bandit
def test_bandit_and_ruff_see_one_weakness_as_one_finding_with_two_witnesses(tmp_path: Path) -> None:
    text = "import subprocess\n\ndef act(name):\n    return subprocess.run(\n        'ls ' + name,\n        shell=True,\n    )\n"
    given = an_input(text, "py")
    seen: list[Seen] = []
    for check, input_ in ((ready("bandit", tmp_path), given), (Ruff(), Input(given.digest, Dialect("python"), given.parts))):
        ((_, outcome),) = check.run([input_])
        assert isinstance(outcome, Checked)
        seen += [Seen(s, CheckId(check.id), Layer.APPLICATION, given.digest, "a.py") for s in outcome.sightings if s.rule[-3:] == "602"]
    (finding,) = identify(seen, catalogue())
    assert {w.rule for w in finding.witnesses} == {"bandit/B602", "ruff/S602"}
    assert finding.severity == Severity.HIGH


@needs_bandit
def test_bandit_and_ruff_name_the_same_sites_wherever_both_see_a_rule(tmp_path: Path) -> None:
    texts = {code: rows["true"] for code, rows in SAMPLES.items()}
    inputs = {code: an_input(text, "py") for code, text in texts.items()}
    bandit = dict(ready("bandit", tmp_path).run(list(inputs.values())))
    ruff = dict(Ruff().run([Input(i.digest, Dialect("python"), i.parts) for i in inputs.values()]))
    shared = 0
    for code, unit in inputs.items():
        one, other = bandit[unit.digest], ruff[unit.digest]
        assert isinstance(one, Checked)
        assert isinstance(other, Checked)
        theirs = [s.site for s in one.sightings if s.rule == f"bandit/B{code[1:]}"]
        ours = [s.site for s in other.sightings if s.rule == f"ruff/{code}"]
        if theirs:
            shared += 1
            assert theirs == ours, code
    assert shared > 35


@needs_bandit
def test_bandit_says_what_it_could_not_parse_and_keeps_what_comments_cover(tmp_path: Path) -> None:
    outcomes = list(
        ready("bandit", tmp_path).run([an_input("def f(:\n", "py"), an_input("assert x  # nosec B101\n", "py"), an_input("", "py")])
    )
    assert [kind(outcome) for _, outcome in outcomes] == ["syntax", "bandit/B101", ""]
    covered = outcomes[1][1]
    assert isinstance(covered, Checked)
    assert covered.sightings[0].suppression is not None


@needs_semgrep
def test_semgrep_runs_with_its_own_rules_only(tmp_path: Path) -> None:
    inputs = [an_input("const cp = require('child_process')\nfunction f(a) {\n  cp.exec('ls ' + a)\n}\n", "js"), an_input("x = 1\n", "py")]
    outcomes = list(ready("semgrep", tmp_path).run(inputs))
    assert [kind(outcome) for _, outcome in outcomes] == ["semgrep/javascript-child-process-shell", ""]


@needs_ast_grep
def test_ast_grep_runs_with_the_rules_of_its_manifest(tmp_path: Path) -> None:
    outcomes = list(ready("ast-grep", tmp_path).run([an_input("box.innerHTML = a;\n", "js"), an_input("box.innerHTML = 'a';\n", "js")]))
    assert [kind(outcome) for _, outcome in outcomes] == ["ast-grep/javascript-html-of-variable", ""]


def test_a_rule_that_nobody_mapped_is_a_class_of_its_own(tmp_path: Path) -> None:
    outcome = run(a_fake(tmp_path), ["BAD"])["BAD"]
    assert isinstance(outcome, Checked)
    assert catalogue().class_of(outcome.sightings[0].rule) == "fake/bad"


_contents = st.lists(
    st.sampled_from(["BAD", "fine", "ERROR", "STRAY", "NOWHERE", "BAD\nBAD", "GIVEUP"]), min_size=1, max_size=4, unique=True
)


@given(_contents)
@settings(max_examples=8, deadline=None)
def test_any_batch_gives_each_input_what_it_gets_alone(tmp_path_factory: pytest.TempPathFactory, contents: list[str]) -> None:
    check = a_fake(tmp_path_factory.mktemp("fake"))
    alone = {content: run(check, [content])[content] for content in contents}
    assert run(check, contents) == run(check, contents[::-1]) == alone


def test_output_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "LONGEST_REPORT", 500)
    assert kind(run(a_fake(tmp_path), ["BAD\n" * 50])["BAD\n" * 50]) == "size"
    flood = json.dumps([sys.executable, "-I", "-S", "-c", "while True: print('x' * 1000)", "{input}"])
    check = a_check(tmp_path, f'id="e"\nlayer="application"\nunit="blob"\nselect=["*"]\nversion="1"\noutput="stdout"\ncommand={flood}\n')
    assert kind(run(check, ["x"])["x"]) == "size"
