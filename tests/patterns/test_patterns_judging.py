"""What a check of patterns says of texts that are broken, generated, hostile, or marked to be overlooked."""

from __future__ import annotations

import pytest

from assaymark.checks.application.patterns.java.check import make as make_java
from assaymark.checks.application.patterns.javascript.check import make as make_javascript
from assaymark.checks.application.patterns.rules import Targets
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting
from assaymark.model.severity import Confidence

SETTINGS = CheckSettings(cache_dir="", installation_key=Secret(b"k"))
CHECKS = {"javascript": make_javascript(SETTINGS), "java": make_java(SETTINGS)}


def outcome(text: str | bytes, language: str = "javascript", dialect: str = "") -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECKS[language].run([Input(sha256(content), Dialect(dialect or language), (Part("", content),))])
    return found


def only(text: str, language: str = "javascript") -> Sighting:
    found = outcome(text, language)
    assert isinstance(found, Checked), found
    (sighting,) = found.sightings
    return sighting


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("a/b.js", "javascript"),
        ("a.test.mjs", "javascript"),
        ("A.TSX", "tsx"),
        ("x.d.ts", None),
        ("js", None),
        (".js", None),
        ("a.json", None),
    ],
)
def test_files_are_chosen_by_the_end_of_their_name(path: str, dialect: str | None) -> None:
    assert CHECKS["javascript"].select(path) == dialect


def test_a_file_without_a_word_of_any_rule_is_clean_whatever_it_is() -> None:
    assert outcome("((((((") == outcome(b"\x00\xff") == outcome("") == Checked()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfee\x00v\x00a\x00l\x00", "encoding"),
        ("function f( { ) eval(a + b ] }} class (", "syntax"),
        ("eval(x)" + " " * (2 << 20), "size"),
    ],
)
def test_what_cannot_be_read_is_unchecked_and_says_why(text: str | bytes, reason: str) -> None:
    found = outcome(text)
    assert isinstance(found, Unchecked)
    assert found.reason_class == reason
    assert found.reason.endswith(".")


def test_an_error_where_no_rule_would_look_is_tolerated() -> None:
    text = "const a: ?string = 1;\n" + "const b = 2;\n" * 20 + "eval(c + d);\n"
    found = outcome(text)
    assert isinstance(found, Checked)
    assert [s.rule for s in found.sightings] == ["javascript/eval"]


def test_an_error_around_the_word_of_a_rule_is_not() -> None:
    found = outcome("const b = 2;\n" * 40 + "class A { f( { eval(a + b) ] }\n" + "const b = 2;\n" * 40)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == ("syntax", 41)


def test_binary_data_are_skipped_by_name_of_the_reason() -> None:
    assert outcome(b"eval(\x00)") == Checked(skipped="binary")


def test_bundles_are_judged_less_surely_and_a_long_line_closes_nothing() -> None:
    text = "app.get('/', (req, res) => { eval(req.query.x); });\n"
    assert (only(text).confidence, only(text + "//" + "x" * 20_000).confidence) == (Confidence.HIGH, Confidence.MEDIUM)
    assert only(text).site == only(text + "//" + "x" * 20_000).site


def test_types_of_flow_are_read_by_the_other_grammar() -> None:
    found = outcome("type A = {b: string};\nfunction f(a: A): void { eval(a.b + 1); }\n")
    assert isinstance(found, Checked)
    assert [s.site.scope for s in found.sightings] == [("f",)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "line",
    [
        "eval(a + b); // eslint-disable-line no-eval",
        "// eslint-disable-next-line no-eval -- checked above\neval(a + b);",
        "/* eslint-disable no-eval */\n\neval(a + b);\n/* eslint-enable no-eval */",
        "eval(a + b); // nosemgrep",
        "// nosemgrep: javascript.eval\neval(a + b);",
        "eval(a + b); // NOSONAR",
        "// assay:allow the map of functions comes with the next release\neval(a + b);",
        "eval(a +\n  b); // nosemgrep",
    ],
)
def test_a_comment_that_asks_to_overlook_is_recorded_and_not_obeyed(line: str) -> None:
    assert only(line + "\n").suppression is not None


@pytest.mark.parametrize(
    "line",
    [
        "eval(a + b); // eslint-disable-line no-console",
        "// eslint-disable-next-line no-eval\n\neval(a + b);",
        "/* eslint-disable no-eval */\n/* eslint-enable no-eval */\neval(a + b);",
        "eval(a + b); const s = '// nosemgrep';",
        "// assay:allow\neval(a + b);",
        "eval(a + b);\n// NOSONAR",
    ],
)
def test_a_comment_about_something_else_covers_nothing(line: str) -> None:
    assert only(line + "\n").suppression is None


JAVA = 'class A {{ {0} void f(Statement s, String n) {{ s.execute("select a from b where c = \'" + n + "\'"); {1} }} }}\n'


@pytest.mark.parametrize(
    ("annotation", "comment", "covers"),
    [
        ('@SuppressWarnings("java:S2077")', "", True),
        ('@SuppressWarnings({"unchecked", "all"})', "", True),
        ('@SuppressFBWarnings("SQL_INJECTION_JDBC")', "", True),
        ('@SuppressWarnings("unchecked")', "", False),
        ("", "// NOSONAR", True),
        ("", "// nosemgrep: java.lang.other", False),
    ],
)
def test_annotations_of_java_count_for_the_rules_they_name(annotation: str, comment: str, covers: bool) -> None:
    text = JAVA.format(annotation, "\n").replace("; \n", f"; {comment}\n")
    assert (only(text, "java").suppression is not None) is covers


def test_a_parameter_that_a_framework_fills_from_the_request_is_foreign_unless_its_type_is_no_text() -> None:
    text = "class A { @Get() find(@Query('n') n: string) { return this.db.query(`SELECT a FROM t WHERE n = '${n}'`); } }\n"
    found = outcome(text, dialect="typescript")
    assert isinstance(found, Checked)
    assert [(s.rule, s.message.rpartition(" ")[2]) for s in found.sightings] == [("javascript/sql-built", "@Query.")]
    assert outcome(text.replace("n: string", "n: number"), dialect="typescript") == Checked()


def test_a_value_that_was_asked_about_is_reported_less_surely() -> None:
    plain = "app.get('/', (req, res) => { const f = req.query.f; res.sendFile(f); });\n"
    asked = plain.replace("res.sendFile", "if (!FILES.includes(f)) return; res.sendFile")
    assert (only(plain).confidence, only(asked).confidence) == (Confidence.HIGH, Confidence.LOW)


def test_text_built_of_what_looks_like_a_setting_is_reported_less_surely() -> None:
    text = "async function f(name) { return db.query('SELECT * FROM t WHERE a = ' + name); }\n"
    assert only(text).confidence is Confidence.MEDIUM
    assert only(text.replace("+ name", "+ TABLE")).confidence is Confidence.LOW


def test_the_source_is_told_and_no_value_is() -> None:
    found = only("db.query(\"SELECT 1 FROM u WHERE password = 'hunter22secret' AND n = \" + req.body.n);\n")
    assert found.message.endswith("It comes from req.body.")
    assert "hunter22secret" not in str(found)


def test_a_pattern_without_a_word_at_its_end_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a word"):
        Targets(["fs.*"])


@pytest.mark.parametrize(
    "bomb",
    [
        "eval(" + "(" * 20_000 + "a" + ")" * 20_000 + ");",
        "eval(" + "a+" * 20_000 + "b);",
        "eval(" + "[" * 20_000,
        "x = " + "f(() => " * 3_000 + "eval(a+b)" + ")" * 3_000 + ";",
        "let a0 = req.query.x;\n" + "".join(f"let a{n + 1} = a{n} + a{n};\n" for n in range(2_000)) + "eval(a2000);",
        "function f(a) { return " + "f(" * 500 + "a" + ")" * 500 + "; }\neval(f(1) + b);",
        "eval(a + b);\n" * 3_000,
        "`${" * 5_000 + "eval(a+b)" + "}`" * 5_000,
    ],
    ids=["parentheses", "sums", "open", "callbacks", "doubling", "calls", "many", "templates"],
)
def test_hostile_text_ends_soon(bomb: str) -> None:
    import time  # noqa: PLC0415 - only here

    start = time.process_time()
    outcome(bomb)
    assert time.process_time() - start < 10


def test_three_files_of_twenty_kilobytes_cost_little_when_warm() -> None:
    import time  # noqa: PLC0415 - only here

    piece = "function f{0}(req, res) {{\n  const name = req.query.name;\n  const rows = load({0}).filter((row) => row.name === name);\n"
    text = "".join((piece + "  res.json(rows);\n}}\n").format(n) for n in range(130)) + "db.query('SELECT a FROM t WHERE b = ' + name);\n"
    outcome(text)
    start = time.process_time()
    for extra in "abc":
        outcome(text + f"// {extra}\n")
    assert time.process_time() - start < 0.2
