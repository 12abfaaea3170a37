"""The laws of identity for the languages that are read by their grammars.

Each example goes through planning, rules, scopes, joining and judging.

The corpus is made of the true samples of the rules, each in a function of its own: what public code holds may not be copied here.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.model.finding import Kind
from assaymark.model.scope import locator
from assaymark.model.verdict import Judged, State, Verdict

Assay = Callable[[Mapping[str, str], Mapping[str, str]], Verdict]
SAMPLES = Path(__file__).parents[1] / "patterns" / "samples"
SUFFIX = {"javascript": "js", "java": "java", "go": "go", "php": "php"}
LANGUAGES = sorted(file.stem for file in SAMPLES.glob("*.toml"))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FILLING = {
    "javascript": (
        "\n",
        "// a remark\n",
        "const added = 1;\n",
        "/* more\n   remarks */\n",
        "function added(one, two) {\n  return one + two;\n}\n",
    ),
    "java": ("\n", "// a remark\n", "/* more\n   remarks */\n", "class Added { int f(int a) { return a + 1; } }\n"),
    "go": ("\n", "// a remark\n", "func added(one int) int {\n\treturn one + 1\n}\n"),
    "php": ("\n", "// a remark\n", "function added($one) {\n    return $one + 1;\n}\n"),
}
DEFECTS = {
    "javascript": "function brought{n}(req, db) {{\n  db.query('SELECT * FROM t{n} WHERE a = ' + req.query.a);\n}}\n",
    "java": (
        "class Brought{n} {{ void f(HttpServletRequest q, Statement s) {{ "
        's.execute("select a from t{n} where b=\'" + q.getHeader("b") + "\'"); }} }}\n'
    ),
    "go": 'func brought{n}(r *http.Request, db *sql.DB) {{\n\tdb.Query("SELECT a FROM t{n} WHERE b = \'" + r.FormValue("b") + "\'")\n}}\n',
}


def chunks(language: str) -> list[str]:
    """Pieces of text that may stand in any order."""
    rows = tomllib.loads((SAMPLES / f"{language}.toml").read_text("utf-8"))
    texts = [re.sub(r"\A\s*<\?php\s", "", text) for row in rows.values() for text in row["true"]]
    if language == "javascript":
        return [f"async function piece{number}(req, res) {{\n  {text}\n}}\n" for number, text in enumerate(texts) if "import " not in text]
    if language in ("java", "go"):
        texts = [text for text in texts if not re.search(r"^\s*(?:import|package)\b", text)]
    if language == "go":
        return [re.sub(r"\bfunc (\([^)]*\) )?f\(", rf"func \g<1>f{number}(", text, count=1) + "\n" for number, text in enumerate(texts)]
    if language == "java":
        return [re.sub(r"\bclass (\w+)", rf"class \g<1>{number}", text, count=1) + "\n" for number, text in enumerate(texts)]
    if language == "php":  # statements of a script share their variables; those of functions may stand in any order
        texts = [text for text in texts if not re.search(r"\?>|^\s*(?:namespace|use|declare)\b", text)]
        held = re.compile(r"^\s*(?:abstract |final )?(?:function|class|interface|trait)\b", re.MULTILINE)
        return [f"{text}\n" if held.search(text) else f"function piece{number}() {{\n  {text}\n}}\n" for number, text in enumerate(texts)]
    raise ValueError(language)


def whole(language: str, pieces: list[str]) -> str:
    """A file of such pieces."""
    return ("<?php\n" if language == "php" else "") + "".join(pieces)


def new(verdict: Verdict) -> list[Judged]:
    return [j for j in verdict.findings if j.state is State.NEW and j.finding.core.kind is not Kind.UNCHECKED]


@pytest.fixture(scope="session")
def assays(make_assay: Callable[[frozenset[str]], Assay]) -> dict[str, Assay]:
    return {language: make_assay(frozenset({language})) for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_corpus_has_enough_findings_to_prove_something(assays: dict[str, Assay], language: str) -> None:
    verdict = assays[language]({}, {f"a.{SUFFIX[language]}": whole(language, chunks(language))})
    assert len(new(verdict)) >= 30
    assert not [j for j in verdict.findings if j.finding.core.kind is Kind.UNCHECKED]


@pytest.mark.parametrize("language", LANGUAGES)
@some
@given(seeds)
def test_stillness_edits_between_statements_yield_nothing_new(assays: dict[str, Assay], language: str, seed: int) -> None:
    chance = random.Random(seed)
    pieces = chance.sample(chunks(language), 12)
    edited = [text for piece in pieces for text in (chance.choice(FILLING[language]), piece)]
    path = f"a.{SUFFIX[language]}"
    assert not new(assays[language]({path: whole(language, pieces)}, {path: whole(language, edited)}))


@pytest.mark.parametrize("language", LANGUAGES)
@some
@given(seeds)
def test_movement_other_order_other_file_and_other_name_yield_nothing_new(assays: dict[str, Assay], language: str, seed: int) -> None:
    chance = random.Random(seed)
    pieces = chance.sample(chunks(language), 10)
    suffix = SUFFIX[language]
    moved = {f"lib/b.{suffix}": whole(language, pieces[5:]), f"c.{suffix}": whole(language, pieces[4::-1])}
    assert not new(assays[language]({f"a.{suffix}": whole(language, pieces)}, moved))


@pytest.mark.parametrize("language", LANGUAGES)
@some
@given(seeds)
def test_a_copy_yields_exactly_the_copies(assays: dict[str, Assay], language: str, seed: int) -> None:
    text = whole(language, random.Random(seed).sample(chunks(language), 6))
    first, second = f"a.{SUFFIX[language]}", f"copy/a.{SUFFIX[language]}"
    held = new(assays[language]({}, {first: text}))
    assert len(new(assays[language]({first: text}, {first: text, second: text}))) == len(held)


def as_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def as_indented(text: str) -> str:
    return "".join(f"\t\t{line}" for line in text.splitlines(keepends=True))


def as_allman(text: str) -> str:
    """The brace of a function goes to the next line; those of objects stay, or a return would end before them."""
    return re.sub(r"\) \{\n", ")\n{\n", text)


def as_broken(text: str) -> str:
    """Arguments go to lines of their own."""
    return re.sub(r"\((?=[a-z]\w*\.\w+\()", "(\n        ", text)


@pytest.mark.parametrize("change", [as_crlf, as_indented, as_allman, as_broken])
@pytest.mark.parametrize("language", LANGUAGES)
def test_stillness_layout_is_no_difference(assays: dict[str, Assay], language: str, change: Callable[[str], str]) -> None:
    text, path = whole(language, chunks(language)), f"a.{SUFFIX[language]}"
    if language == "go" and change is as_allman:
        return  # a line end ends a statement there
    assert change(text) != text or change in (as_allman, as_broken)
    assert not new(assays[language]({path: text}, {path: change(text)}))


def test_stillness_a_condition_around_a_statement_moves_nothing(assays: dict[str, Assay]) -> None:
    before = "function f(req, db) {\n  db.query('SELECT a FROM t WHERE b = ' + req.query.b);\n}\n"
    wrapped = "  if (ready) {\n    try {\n      db.query('SELECT a FROM t WHERE b = ' + req.query.b)\n    } finally { end(); }\n  }\n"
    after = f"function f(req, db) {{\n{wrapped}}}\n"
    assert not new(assays["javascript"]({"a.js": before}, {"a.js": after}))


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name in DEFECTS])
@some
@given(seeds)
def test_honesty_one_real_defect_anywhere_is_exactly_one_new_finding(assays: dict[str, Assay], language: str, seed: int) -> None:
    chance = random.Random(seed)
    pieces = chance.sample(chunks(language), 8)
    path = f"a.{SUFFIX[language]}"
    head = [*pieces]
    head.insert(chance.randrange(len(pieces)), DEFECTS[language].format(n=seed))
    (found,) = new(assays[language]({path: whole(language, pieces)}, {path: whole(language, head)}))
    assert found.finding.core.rule_class == "sql-injection"


def test_honesty_taking_the_sanitiser_away_is_new_although_the_line_was_not_touched(assays: dict[str, Assay]) -> None:
    safe = "function f(req, res) {\n  const id = parseInt(req.query.id, 10);\n  db.query('SELECT a FROM t WHERE id = ' + id);\n}\n"
    unsafe = safe.replace("parseInt(req.query.id, 10)", "req.query.id")
    (found,) = new(assays["javascript"]({"a.js": safe}, {"a.js": unsafe}))
    assert found.finding.place.line == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_closure_a_file_that_cannot_be_read_where_a_rule_would_look_closes_nothing(assays: dict[str, Assay], language: str) -> None:
    text, path = whole(language, chunks(language)[:3]), f"a.{SUFFIX[language]}"
    verdict = assays[language]({path: text}, {path: text[:6] + "}}}) ( class { " + text[6:].replace("(", "( ( {", 3)})
    assert str(verdict.outcome) == "unproven"
    assert not [j for j in verdict.findings if j.state is State.FIXED]


@pytest.mark.parametrize("language", LANGUAGES)
def test_agreement_a_tool_that_tells_only_line_and_column_names_the_same_site(assays: dict[str, Assay], language: str) -> None:
    text, path = whole(language, chunks(language)), f"a.{SUFFIX[language]}"
    where = locator(text, SUFFIX[language])
    for judged in new(assays[language]({}, {path: text})):
        place = judged.finding.place
        assert where.site(place.line, place.end_line, column=place.column).statement == judged.finding.statement
