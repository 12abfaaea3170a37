from __future__ import annotations

import json
import os
import random
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.application.code import ruff_engine, ruff_run
from assaymark.checks.application.code.ruff import Ruff
from assaymark.errors import EngineMissing
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import CodeSite, Sighting, Span
from assaymark.model.severity import Confidence, Severity

HERE = Path(__file__).parent
GOLDEN = HERE / "code_ruff_golden.json"
SAMPLES: dict[str, dict[str, str]] = tomllib.loads((HERE / "code_samples.toml").read_text("utf-8"))
See = Callable[..., tuple[Sighting, ...]]
Look = Callable[..., Outcome]


def an_input(content: bytes, dialect: str = "python") -> Input:
    return Input(sha256(content), Dialect(dialect), (Part("", content),))


def _row(sighting: Sighting) -> list[object]:
    assert isinstance(sighting.site, CodeSite)
    span = sighting.span
    place = [span.start_line, span.start_column, span.end_line, span.end_column] if span else []
    return [
        sighting.rule,
        sighting.severity,
        sighting.confidence,
        list(sighting.site.scope),
        sighting.site.statement,
        place,
        sighting.message,
    ]


def test_samples_give_exactly_the_golden_sightings(check: Ruff) -> None:
    order = [(code, kind) for code in SAMPLES for kind in ("true", "false")]
    inputs = [an_input(SAMPLES[code][kind].encode()) for code, kind in order]
    outcomes = [outcome for _, outcome in check.run(inputs)]
    found: dict[str, dict[str, object]] = {}
    for (code, kind), outcome in zip(order, outcomes, strict=True):
        assert isinstance(outcome, Checked)
        found.setdefault(code, {})[kind] = [_row(sighting) for sighting in outcome.sightings]
    if os.environ.get("ASSAY_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("code", SAMPLES)
def test_each_rule_sees_its_true_sample_and_not_its_false_one(code: str) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))[code]
    assert f"ruff/{code}" in [row[0] for row in golden["true"]]
    assert f"ruff/{code}" not in [row[0] for row in golden["false"]]


def test_columns_count_code_points_and_ends_are_exclusive(sightings: See) -> None:
    text = 'x = "😀é́🇩🇪"; eval(x)\n\tpass'.replace("\n\tpass", "\nif x:\n\tassert x\n")
    one, two = sightings(text)
    start = text.index("eval") + 1
    assert one.span == Span(1, start, 1, start + len("eval(x)"))
    assert two.span == Span(3, 2, 3, 8)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_marks_do_not_move_sightings(sightings: See, end: str) -> None:
    text = "a = 1\nif a:\n    assert a\n"
    for mark in ("", "\ufeff"):
        (found,) = sightings((mark + text.replace("\n", end)).encode())
        assert found.span == Span(3, 5, 3, 11)
        assert isinstance(found.site, CodeSite)
        assert found.site.statement == "assert a"


@pytest.mark.parametrize("bad", ["def f(:\n", "print 'x'\n", "a = (\n", "x\x00y\n", "if 1:\n\tx\n        y\n", "case \ufffe"])
def test_what_is_not_python_is_unchecked_with_its_line(look: Look, bad: str) -> None:
    outcome = look("ok = 1\n" + bad)
    assert isinstance(outcome, Unchecked)
    assert (outcome.reason_class, outcome.line >= 2, outcome.reason.isprintable()) == ("syntax", True, True)


def test_a_compiler_error_that_leaves_the_tree_whole_does_not_hide_sightings(sightings: See) -> None:
    assert [s.rule for s in sightings("nonlocal x\nassert x\ndef f():\n    global y\n    y: int = 2\n")] == ["ruff/S101"]


@pytest.mark.parametrize(
    "newer", ["f'{a['b']}'\n", "type A = int\n", "try:\n    pass\nexcept A, B:\n    pass\n", "t'{a}'\n", "def f[T](a: T): pass\n"]
)
def test_newer_syntax_than_this_interpreter_s_is_read(sightings: See, newer: str) -> None:
    (found,) = sightings(newer + "class A:\n    def g(self):\n        assert (a,\n            b)\n")
    assert isinstance(found.site, CodeSite)
    assert (found.site.scope, "".join(found.site.statement.split())) == (("A", "g"), "assert(a,b)")


def test_declared_encodings_are_honoured_and_wrong_ones_are_unchecked(look: Look, sightings: See) -> None:
    latin = "# -*- coding: latin-1 -*-\nx = 'é'; assert x\n"
    (found,) = sightings(latin.encode("latin-1"))
    assert found.span == Span(2, 10, 2, 16)
    (found,) = sightings("# coding: shift_jis\nx = '表'; assert x\n".encode("shift_jis"))
    assert found.span == Span(2, 10, 2, 16)
    undecodable = look(b"x = 1\ny = '\xe9'\n")
    assert isinstance(undecodable, Unchecked)
    assert (undecodable.reason_class, undecodable.line) == ("encoding", 2)
    for cookie in (b"nonsense", b"unicode_escape", b"punycode", b"rot13", b"hex", b"utf-7"):
        outcome = look(b"# coding: " + cookie + b"\nassert x\n")
        assert isinstance(outcome, Unchecked)
        assert outcome.reason_class == "encoding"
    assert isinstance(look("assert x".encode("utf-16")), Unchecked)


def test_scripts_are_told_by_their_first_line(look: Look, sightings: See) -> None:
    for first in ("#!/usr/bin/env python3", "#!/usr/bin/python -u", "#!/usr/bin/env -S uv run --script", "\ufeff#!/opt/pypy3/bin/pypy3"):
        assert len(sightings(f"{first}\nassert x\n", "script")) == 1
    for other in ("#!/bin/sh\nassert x\n", "assert x\n", "", "\x7fELF\x00", "# python\n"):
        assert look(other, "script") == Checked(skipped="other-language")


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("a/b.py", "python"),
        ("b.PY", "python"),
        ("a.pyw", "python"),
        ("x/a.pyi", "stub"),
        ("bin/tool", "script"),
        ("SConstruct", "python"),
        ("a.js", None),
        ("README", None),
        ("Makefile", None),
        (".py", None),
        (".bashrc", None),
        ("a.ipynb", None),
        ("a.py.orig", None),
    ],
)
def test_names_select(check: Ruff, path: str, dialect: str | None) -> None:
    assert check.select(path) == dialect


@pytest.mark.parametrize(
    ("comment", "is_one"),
    [
        ("# noqa", True),
        ("# NOQA", True),
        ("#noqa:S602", True),
        ("# noqa: S602", True),
        ("# noqa: F401,S602", True),
        ("# noqa: F401 S602", True),
        ("# noqa: S", True),
        ("# noqa: S101", False),
        ("# noqa:", False),
        ("# noqa: E", False),
        ("# noqa: B602", False),
        ("# x # noqa: S602", True),
        ("# nosec", True),
        ("# nosec B602", True),
        ("# nosec: B602, B101", True),
        ("# nosec B101", False),
        ("# nosec because", True),
        ("# nosec subprocess_popen_with_shell_equals_true", True),
        ("# nosec assert_used", False),
        ("# nosemgrep", True),
        ("# nosemgrep: a.b", False),
        ("# assay:allow tested by hand", True),
        ("# assay:allow", False),
        ("# ruff: ignore[S602]", True),
        ("# ruff:ignore[S101, S602] x", True),
        ("# ruff: ignore[S101]", False),
        ("# why", False),
    ],
)
@pytest.mark.parametrize("line", [0, 1, 2])
def test_comments_on_a_statement_s_lines_are_recorded_never_obeyed(sightings: See, comment: str, is_one: bool, line: int) -> None:
    rows = ["subprocess.run(", "    'ls ' + x,", "    shell=True)"]
    rows[line] += "  " + comment
    found = [s for s in sightings("import subprocess\n" + "\n".join(rows) + "\n") if s.rule == "ruff/S602"]
    assert len(found) == 1
    marker = found[0].suppression
    assert (marker is not None) == is_one
    if marker:
        assert (marker.line, marker.marker) == (line + 2, comment[comment.rindex("#") :] if " # " in comment else comment)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("# ruff: noqa\nassert x\n", True),
        ("import a\n# ruff: noqa: S101\nassert x\n", True),
        ("# flake8: noqa\nassert x\n", True),
        ("# flake8: noqa: E501\nassert x\n", False),
        ("# ruff: file-ignore[S101]\nassert x\n", True),
        ("# ruff: ignore[S101]\nassert x\n", True),
        ("# ruff: ignore[S101]\n# why\nassert x\n", True),
        ("# ruff: ignore[S101]\n\nassert x\n", False),
        ("# ruff: disable[S101]\na = 1\nassert x\n# ruff: enable[S101]\n", True),
        ("# ruff: disable[S101]\n# ruff: enable[S101]\nassert x\n", False),
        ("def f():\n    # ruff: disable[S101]\n    pass\nassert x\n", False),
        ("# noqa\nassert x\n", False),
        ("# nosec\nassert x\n", False),
        ("# assay:allow agreed\nassert x\n", True),
        ("assert '# noqa'\n", False),
        ("y = '''\n# ruff: noqa\n'''\nassert x\n", False),
        ("assert '''\n# nosec\n'''\n", False),
    ],
)
def test_comments_of_files_blocks_and_the_line_above_count_and_strings_do_not(sightings: See, text: str, is_one: bool) -> None:
    found = [s for s in sightings(text) if s.rule == "ruff/S101"]
    assert [s.suppression is not None for s in found] == [is_one]


def test_a_constant_command_is_milder_than_one_put_together(sightings: See) -> None:
    constant, built = (
        s for s in sightings("import subprocess as s\ns.run('/bin/ls', shell=True)\ns.run(x, shell=True)\n") if s.rule == "ruff/S602"
    )
    assert (constant.severity, constant.confidence) == (Severity.LOW, Confidence.LOW)
    assert (built.severity, built.confidence) == (Severity.HIGH, Confidence.MEDIUM)


def test_passwords_are_left_to_the_secrets_check_and_never_kept(sightings: See) -> None:
    word = "hunter" + "2hunter2"
    found = sightings(f"import requests\npassword = '{word}'\nrequests.get(u, timeout=1, password='{word}', verify=False)\n")
    assert [s.rule for s in found] == ["ruff/S501"]
    assert word not in repr(found)


def test_a_file_that_kills_ruff_costs_its_own_answer_only(check: Ruff) -> None:
    good = [an_input(f"assert x{n}\n".encode()) for n in range(5)]
    killers = [an_input(("x=" + "-" * 100_000 + "1").encode()), an_input(("x=" + "1+" * 200_000 + "1").encode())]
    outcomes = dict(check.run([*good[:2], killers[0], *good[2:], killers[1]]))
    assert len(outcomes) == 7
    for one in good:
        outcome = outcomes[one.digest]
        assert isinstance(outcome, Checked)
        assert len(outcome.sightings) == 1
    for one in killers:
        outcome = outcomes[one.digest]
        assert isinstance(outcome, Unchecked)
        assert outcome.reason_class == "engine-failed"


def test_settings_of_the_surroundings_do_not_reach_ruff(sightings: See, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff.lint]\nignore = ['ALL']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUFF_OUTPUT_FILE", str(tmp_path / "out"))
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "concise")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert len(sightings("assert x\n")) == 1
    assert not (tmp_path / "out").exists()


def test_temporary_folders_are_removed(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    look("assert x\n")
    look("x=" + "-" * 100_000 + "1")
    assert list(tmp_path.iterdir()) == []


def test_a_ruff_on_path_or_in_the_current_folder_is_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ruff"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    record = tmp_path / "ruff-99.0.dist-info"
    record.mkdir()
    (record / "RECORD").write_text("ruff,,\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ruff_engine.locate().version != "99.0"


def test_a_missing_ruff_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ruff_engine, "_in_packages", lambda _folder: None)
    with pytest.raises(EngineMissing):
        Ruff().knowledge()


def test_knowledge_is_stable_cheap_and_tells_engines_apart(check: Ruff) -> None:
    first = Ruff().knowledge()
    start = time.process_time()
    assert Ruff().knowledge() == first == check.knowledge()
    assert time.process_time() - start < 0.05
    other = Ruff()
    other._engine = ruff_engine.RuffEngine(program="/x", version="9", identity="9 other", newest_python="py314")
    assert other.knowledge() != first


def test_the_report_of_ruff_has_a_limit(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruff_run, "LONGEST_REPORT", 1_000)
    outcome = look("assert x\n" * 50)
    assert isinstance(outcome, Unchecked)
    assert outcome.reason_class == "size"


def test_a_ruff_that_hangs_is_stopped(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruff_run, "SECONDS", 0.0)
    outcome = look("assert x\n")
    assert isinstance(outcome, Unchecked)
    assert outcome.reason_class == "timeout"


# --- laws ------------------------------------------------------------------------------------------------------------

_pieces = st.sampled_from(
    ["assert x\n", "eval(x)\n", "def f(:\n", "# noqa\n", "'''", "(", "\t", "\r", "\x00", "é", "\u2028", "\x0c", "if x:\n", "#!python\n"]
)
_content = st.one_of(st.binary(max_size=60), st.lists(_pieces, max_size=12).map(lambda parts: "".join(parts).encode()))
_dialects = st.sampled_from(["python", "stub", "script"])


@given(st.lists(st.tuples(_content, _dialects), max_size=8, unique_by=lambda pair: pair[0]), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_any_batch_gives_each_input_what_it_gets_alone_in_any_order(pairs: list[tuple[bytes, str]], shuffle: random.Random) -> None:
    check = Ruff()
    inputs = [an_input(content, Dialect(dialect)) for content, dialect in pairs]
    together = list(check.run(inputs))
    assert sorted(digest for digest, _ in together) == sorted(given.digest for given in inputs)
    mixed = list(inputs)
    shuffle.shuffle(mixed)
    alone = dict(outcome for given in inputs for outcome in check.run([given]))
    assert dict(together) == dict(check.run(mixed)) == alone
