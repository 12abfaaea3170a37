"""The laws of identity, on real code edited by machine. Each example goes through planning, ruff, scopes, joining and judging."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, State, Verdict

seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def new(verdict: Verdict) -> list[Judged]:
    return [j for j in verdict.findings if j.state is State.NEW and j.finding.core.kind is not Kind.UNCHECKED]


def pick(corpus: dict[str, str], random_: random.Random) -> tuple[str, str]:
    path = random_.choice(sorted(corpus))
    return path, corpus[path]


def gaps(text: str) -> list[int]:
    """Line indices before which a top-level statement may be put."""
    return [node.lineno - 1 for node in ast.parse(text).body if not getattr(node, "decorator_list", None)][1:]


def test_the_corpus_has_enough_findings_to_prove_something(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str]
) -> None:
    assert len(new(assay_code({}, corpus))) >= 60


@some
@given(seeds)
def test_stillness_edits_above_below_and_around_yield_nothing_new(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)
    path, text = pick(corpus, chance)
    lines = text.splitlines(keepends=True)
    for at in sorted(chance.sample(gaps(text), 5), reverse=True):
        lines.insert(at, chance.choice(["\n", "# a remark\n", "added_constant = 1\n", "def added(one, two):\n    return one + two\n\n\n"]))
    assert not new(assay_code({path: text}, {path: "".join(lines)}))


@some
@given(seeds)
def test_movement_moved_functions_and_renamed_files_yield_nothing_new(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)
    path, text = pick(corpus, chance)
    lines = text.splitlines(keepends=True)
    blocks = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.decorator_list]
    block = chance.choice(blocks)
    moved = lines[block.lineno - 1 : block.end_lineno]
    rest = [*lines[: block.lineno - 1], "\n", *lines[block.end_lineno :]]
    within, elsewhere = {path: "".join([*rest, "\n\n", *moved])}, {path: "".join(rest), "other/place.py": "".join(moved)}
    head = within if chance.random() < 0.5 else elsewhere
    assert not new(assay_code({path: text}, head))
    assert not new(assay_code({path: text}, {"renamed/" + path: text}))


@some
@given(seeds)
def test_movement_a_copy_yields_exactly_the_copies(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str], seed: int
) -> None:
    path, text = pick(corpus, random.Random(seed))
    held = new(assay_code({}, {path: text}))
    assert len(new(assay_code({path: text}, {path: text, "copy/" + path: text}))) == len(held)


def as_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def as_formatted(text: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "format", "--isolated", "--no-cache", "--line-length", "60", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def as_indented(text: str) -> str:
    """Every top-level function goes below an ``if``: other columns, other depth, same scope."""
    lines = text.splitlines(keepends=True)
    blocks = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and not n.decorator_list]
    for block in reversed(blocks):
        body = "".join(lines[block.lineno - 1 : block.end_lineno])
        if '"""' not in body and "'''" not in body:
            lines[block.lineno - 1 : block.end_lineno] = ["if True:\n", textwrap.indent(body, "    ")]
    return "".join(lines)


@pytest.mark.parametrize("change", [as_crlf, as_formatted, as_indented])
def test_stillness_layout_is_no_difference(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str], change: object
) -> None:
    head = {path: change(text) for path, text in corpus.items()}  # type: ignore[operator]
    assert head != corpus
    assert not new(assay_code(corpus, head))


DEFECTS = (
    "subprocess.call(command_{n}, shell=True)",
    "pickle.loads(received_{n})",
    'cursor.execute("SELECT * FROM t_{n} WHERE a = %s" % given)',
    "hashlib.md5(password_{n})",
)


@some
@given(seeds)
def test_honesty_one_real_defect_anywhere_is_exactly_one_new_finding(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)
    path, text = pick(corpus, chance)
    lines = text.splitlines(keepends=True)
    defect = chance.choice(DEFECTS).format(n=chance.randrange(10**6))
    function = f"def brought_{seed}(given, cursor):\n    import hashlib, pickle, subprocess\n\n    {defect}\n\n\n"
    lines.insert(chance.choice(gaps(text)), function)
    (found,) = new(assay_code({path: text}, {path: "".join(lines)}))
    assert defect.split("(")[0] in found.finding.statement


def test_honesty_a_defect_on_the_line_of_a_repaired_one_is_new(assay_code: Callable[[dict[str, str], dict[str, str]], Verdict]) -> None:
    before = "import os, pickle\n\n\ndef f(x):\n    return os.system(x)\n"
    after = "import os, pickle\n\n\ndef f(x):\n    return pickle.loads(x)\n"
    verdict = assay_code({"a.py": before}, {"a.py": after})
    assert [j.finding.core.rule_class for j in new(verdict)] == ["unsafe-deserialisation"]


def test_honesty_deleting_what_made_a_line_safe_is_new_although_the_line_was_not_touched(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict],
) -> None:
    before = "from defusedxml import ElementTree\n\n\ndef f(x):\n    return ElementTree.parse(x)\n"
    after = "from xml.etree import ElementTree\n\n\ndef f(x):\n    return ElementTree.parse(x)\n"
    (found,) = new(assay_code({"a.py": before}, {"a.py": after}))
    assert found.finding.place.line == 5


def test_edits_of_the_findings_own_statement_are_matched_nine_times_in_ten(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str]
) -> None:
    """Small edits as people make them: a name, a string, one more argument, another keyword."""
    chance = random.Random(20261123)
    tried = matched = 0
    for path, text in sorted(corpus.items()):
        for judged in new(assay_code({}, {path: text})):
            edited = edit_statement(text, judged.finding.place.line, chance)
            if edited is None:
                continue
            verdict = assay_code({path: text}, {path: edited})
            kept = [
                j
                for j in verdict.findings
                if j.state in (State.CHANGED, State.NEW) and j.finding.core.rule_class == judged.finding.core.rule_class
            ]
            tried += bool(kept)
            matched += bool(kept) and all(j.state is State.CHANGED for j in kept)
    assert tried >= 30
    assert matched >= 0.9 * tried, f"{matched} of {tried}"


def edit_statement(text: str, line: int, chance: random.Random) -> str | None:
    """Change one name, one string or the arguments on a line; None when the file would no longer parse."""
    lines = text.splitlines(keepends=True)
    old = lines[line - 1]
    edits: tuple[Callable[[str], str], ...] = (
        lambda s: re.sub(r"\b(self|cmd|url|file|name|args|data)\b", "other_one", s, count=1),
        lambda s: re.sub(r"\(([^()]*)\)", r"(\1, further=1)", s, count=1),
        lambda s: re.sub(r"(['\"])([^'\"]*)\1", r"\1\2 more\1", s, count=1),
        lambda s: re.sub(r"=\s*([A-Za-z_][\w.]*)", r"= \1_two", s, count=1),
    )
    for edit in chance.sample(edits, len(edits)):
        lines[line - 1] = edit(old)
        if lines[line - 1] != old:
            changed = "".join(lines)
            try:
                ast.parse(changed)
            except SyntaxError:
                continue
            return changed
    return None


def test_closure_a_file_that_no_longer_parses_closes_nothing_and_proves_nothing(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict],
) -> None:
    before = "import os\n\n\ndef f(x):\n    return os.system(x)\n"
    verdict = assay_code({"a.py": before}, {"a.py": before + "def broken(:\n"})
    assert str(verdict.outcome) == "unproven"
    assert not [j for j in verdict.findings if j.state is State.FIXED]


def test_agreement_the_changed_part_and_the_whole_give_the_same_verdict(
    assay_code: Callable[[dict[str, str], dict[str, str]], Verdict], corpus: dict[str, str]
) -> None:
    paths = sorted(corpus)
    base = {path: corpus[path] for path in paths[:6]}
    head = {**{path: corpus[path] for path in paths[1:8]}, paths[1]: corpus[paths[1]] + "\n\ndef g(x):\n    return eval(x)\n"}
    small = {path: text for path, text in base.items() if head.get(path) != text}
    small_head = {path: text for path, text in head.items() if base.get(path) != text}
    whole, part = assay_code(base, head), assay_code(small, small_head)
    assert (whole.outcome, whole.findings, whole.reasons) == (part.outcome, part.findings, part.reasons)
