from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.model.scope import LONGEST_STATEMENT, locator
from assaymark.model.scope_mask import mask
from assaymark.model.tokens import tokens

SHOP = """\
import os

@app.route("/basket", methods=[
    "GET",
])
@logged
async def basket(name, colon=":",  # a colon: here
                 *, extra: dict[str, int] = {1: 2}) -> dict[str, int]:
    if (name and
            colon): one = 1; two(one)
    elif extra: pass
    with open("é") as left, open(
            "b") as right:
        total(1,
              two(2),  # nosec
        )
    try:
        pass
    except (KeyError, OSError) as lost:
        raise
    else:
        three = 3
    match extra:
        case [1, *_] if name: four()

class Shop(Base, metaclass=Meta):
    class Till:
        def open(self): return [lambda: five(x) for x in self]
"""


def _where(line: int, text: str = SHOP, dialect: str = "python", column: int = 0) -> tuple[tuple[str, ...], str]:
    site = locator(text, dialect).site(line, column=column)
    return site.scope, " ".join(site.statement.split())


@pytest.mark.parametrize(
    ("line", "scope", "statement"),
    [
        (1, (), "import os"),
        (3, ("basket",), '@app.route("/basket", methods=[ "GET", ])'),
        (5, ("basket",), '@app.route("/basket", methods=[ "GET", ])'),
        (6, ("basket",), "@logged"),
        (7, (), 'async def basket(name, colon=":", # a colon: here *, extra: dict[str, int] = {1: 2}) -> dict[str, int]:'),
        (8, (), 'async def basket(name, colon=":", # a colon: here *, extra: dict[str, int] = {1: 2}) -> dict[str, int]:'),
        (9, ("basket",), "if (name and colon):"),
        (11, ("basket",), "elif extra:"),
        (13, ("basket",), 'with open("é") as left, open( "b") as right:'),
        (15, ("basket",), "total(1, two(2), # nosec )"),
        (17, ("basket",), "try:"),
        (19, ("basket",), "except (KeyError, OSError) as lost:"),
        (21, ("basket",), "else:"),
        (24, ("basket",), "case [1, *_] if name:"),
        (26, (), "class Shop(Base, metaclass=Meta):"),
        (28, ("Shop", "Till"), "def open(self):"),
        (999, (), ""),
    ],
)
def test_a_line_of_python_gives_its_innermost_statement_and_its_scope(line: int, scope: tuple[str, ...], statement: str) -> None:
    assert _where(line) == (scope, statement)


def test_a_column_tells_statements_on_one_line_apart() -> None:
    assert _where(10, column=21)[1] == "one = 1"
    assert _where(10, column=30)[1] == "two(one)"
    assert _where(28, column=25) == (("Shop", "Till", "open"), "return [lambda: five(x) for x in self]")


def test_lines_that_a_statement_covers_are_told() -> None:
    located = locator(SHOP, "python").locate(15)
    assert (located.first_line, located.last_line) == (14, 16)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(end: str) -> None:
    for line in range(1, SHOP.count("\n") + 1):
        ours, theirs = _where(line), _where(line, SHOP.replace("\n", end))
        assert ours == theirs


def test_only_line_feeds_and_carriage_returns_end_lines() -> None:
    text = "a = '\u2028\x85'\nb = 2 \x0c\nc()\n"
    assert _where(3, text)[1] == "c()"
    assert _where(3, text.replace("'", "`"), "text")[1] == "c()"


def test_a_byte_order_mark_is_no_text() -> None:
    assert _where(1, "\ufeffact()\n") == _where(1, "act()\n")


ALLMAN = """\
public class Shop
{
    // the till
    public void Open(int one,
                     int two)
    {
        if (one > two)
        {
            run(one,
                two);
        }
    }
}
"""
K_AND_R = """\
public class Shop {
\tpublic void Open(int one, int two) {
\t\twhile (true) {
\t\t\trun(one, two);
\t\t}
\t}
}
"""


def test_both_brace_styles_and_any_control_flow_give_one_site() -> None:
    allman = locator(ALLMAN, "java").site(10)
    k_and_r = locator(K_AND_R, "java").site(4)
    assert allman.scope == k_and_r.scope == ("Shop", "Open")
    assert tokens(allman.statement, "java") == tokens(k_and_r.statement, "java")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("function load(a) {", "load"),
        ("export default async function load(a) {", "load"),
        ("const load = async (a) => {", "load"),
        ("const load = function (a) {", "load"),
        ("module.exports.load = function (a) {", "load"),
        ("  load(a, b) {", "load"),
        ("func (s *Shop) Load(a int) error {", "Load"),
        ("pub fn load(a: &str) -> Result<()> {", "load"),
        ("impl Shop {", "Shop"),
        ("interface Till extends Base {", "Till"),
        ("def load", "load"),
        ("module Shop", "Shop"),
        ("protected static List<String> load(String a) throws IOException {", "load"),
        ("namespace Shop.Till {", "Shop.Till"),
        ("jobs:", "jobs"),
        ('resource "aws_s3_bucket" "b" {', 'resource "aws_s3_bucket" "b"'),
    ],
)
def test_headers_of_many_languages_give_their_name(header: str, name: str) -> None:
    indent = len(header) - len(header.lstrip())
    assert locator(f"{header}\n{' ' * (indent + 4)}act()\n", "text").site(2).scope == (name,)


def test_a_stray_bracket_does_not_swallow_the_file() -> None:
    text = "print :(\n" + "a = 1\n" * 100
    assert _where(1, text, "text")[1] == "print :("
    assert _where(50, text, "text")[1] == "a = 1"


def test_broken_python_keeps_scope_and_statement_as_well_as_layout_tells() -> None:
    text = "class Shop:\n    async def open(self):\n        if x:\n            run(1,\n                2)\n        print 'old'\n"
    assert _where(5, text) == (("Shop", "open"), "run(1, 2)")


@pytest.mark.parametrize(
    "bomb",
    [
        "x=" + "(" * 20_000 + ")" * 20_000,
        "x=" + "-" * 50_000 + "1",
        "x=" + "a." * 50_000 + "b",
        "x=" + "1+" * 50_000 + "1",
        "\n".join(" " * i + "if 1:" for i in range(1_200)) + "\n" + " " * 1_200 + "pass",
        "\n".join(" " * i + f"def f{i}():" for i in range(90)) + "\n" + " " * 90 + "pass",
        "f(" * 3_000 + "\n" * 3,
        "(\n" * 5_000,
        "'\"`" * 30_000,
        "\\" * 60_000,
        "a" * 200_000,
        "\x00\ud800",
    ],
    ids=["parentheses", "signs", "attributes", "sums", "ifs", "functions", "calls", "open", "quotes", "slashes", "long", "surrogate"],
)
@pytest.mark.parametrize("dialect", ["python", "javascript"])
def test_deep_and_long_text_is_read_in_linear_time(bomb: str, dialect: str) -> None:
    start = time.process_time()
    found = locator(bomb, dialect).locate(bomb.count("\n") + 1)
    assert time.process_time() - start < 5
    assert len(found.site.statement) < LONGEST_STATEMENT + 100


@pytest.mark.parametrize("dialect", ["python", "javascript"])
@pytest.mark.parametrize("piece", ["assert x;", "é();"])
def test_many_questions_about_one_endless_line_stay_linear(piece: str, dialect: str) -> None:
    count = 20_000
    where = locator(piece * count, dialect)
    start = time.process_time()
    found = [where.locate(1, column=1 + n * len(piece)) for n in range(count)]
    assert time.process_time() - start < 5
    if dialect == "python":
        assert {f.site.statement for f in found} == {piece[:-1]}


def test_thousandfold_nesting_gives_the_whole_chain() -> None:
    text = "\n".join("\t" * i + f"function f{i}() {{" for i in range(1_000)) + "\n" + "\t" * 1_000 + "act();"
    assert len(locator(text, "javascript").site(1_001).scope) == 1_000


def test_very_long_statements_are_cut_and_still_differ() -> None:
    one, two = ("x = [" + "1," * 5_000 + tail + "]" for tail in ("1", "2"))
    sites = [locator(text, "python").site(1).statement for text in (one, two)]
    assert len(sites[0]) < LONGEST_STATEMENT + 100
    assert sites[0] != sites[1]


# --- laws ------------------------------------------------------------------------------------------------------------

_lines = st.text("ab(){}[]'\"#:;=,\\ \t\x0c\u2028é😀", max_size=30)


@given(st.lists(_lines, max_size=30), st.integers(-3, 40), st.integers(-3, 40), st.integers(0, 40), st.sampled_from(["python", "js", "x"]))
@settings(max_examples=300, deadline=None)
def test_no_text_and_no_position_breaks_it(lines: list[str], line: int, end: int, column: int, dialect: str) -> None:
    located = locator("\n".join(lines), dialect).locate(line, end, column=column)
    assert located.first_line <= located.last_line


_statement = st.sampled_from(
    ["a = 1", "b(\n    2,\n    3)", "# note", "", "c = '''\nd\n'''", "x; y", "@dec\ndef g(): pass", "for i in z: w()"]
)
_block = st.lists(_statement, max_size=5).map("\n".join)
TARGET = "danger(\n    one,\n    two)"


def _indented(text: str, by: str) -> str:
    return "".join(by + row if row.strip() else row for row in text.splitlines(keepends=True))


@given(_block, _block, _block, _block, st.sampled_from(["    ", "\t", " "]))
@settings(max_examples=200, deadline=None)
def test_stillness_edits_around_a_statement_leave_its_python_site_equal(a: str, b: str, c: str, d: str, by: str) -> None:
    def shop(*blocks: str) -> str:
        one, two, three, four = (block.replace("'''\nd\n'''", "'d'") for block in blocks)
        method = f"def till(self):\n{_indented(f'pass{chr(10)}{two}{chr(10)}{TARGET}{chr(10)}{three}', by)}\n"
        return f"{one}\nclass Shop:\n{_indented(method, by)}\n{four}\n"

    def site(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        line = next(n for n, row in enumerate(text.split("\n"), 1) if row.strip() == "danger(")
        found = locator(text, "python").site(line)
        return found.scope, tokens(found.statement)

    assert site(shop(a, b, c, d)) == site(shop("", "", "", "")) == (("Shop", "till"), tokens("danger(one, two)"))


_calm = st.lists(st.sampled_from(["a = 1;", "run(b,\n        c);", "// note (", "", "if (x) { y(); }", "let s = 'it';"]), max_size=5).map(
    "\n".join
)


@given(_calm, _calm, st.sampled_from(["", "if (q) {", "try {", "for (;;) {"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_stillness_and_reindentation_hold_without_a_parser(before: str, after: str, wrap: str, allman: bool) -> None:
    inner = f"{before}\ndanger(one,\n  two);\n{after}"
    if wrap:
        inner = f"{wrap}\n{_indented(inner, '    ')}\n}}"
    brace = "\n{" if allman else " {"
    text = f"class Shop{brace}\n{_indented(f'void till(int a){brace}{chr(10)}{_indented(inner, chr(9))}{chr(10)}}}', chr(9))}\n}}\n"
    line = next(n for n, row in enumerate(text.split("\n"), 1) if row.strip().startswith("danger("))
    found = locator(text, "java").site(line)
    assert (found.scope, tokens(found.statement, "java")) == (("Shop", "till"), tokens("danger(one, two)", "java"))


@given(st.sampled_from(["if q:", "with q:", "while q:", "for q in r:", "try:"]))
def test_movement_into_a_block_keeps_the_site(header: str) -> None:
    tail = "\n    finally: pass" if header == "try:" else ""
    flat = f"def f():\n{_indented(TARGET, '    ')}\n"
    moved = f"def f():\n    {header}\n{_indented(TARGET, '        ')}{tail}\n"
    one, two = locator(flat, "python").site(2), locator(moved, "python").site(3)
    assert one.scope == two.scope
    assert tokens(one.statement) == tokens(two.statement)


# --- masking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "secret"),
    [
        ("connect(password={q}{s}{q}, verify=False)", "hunter2hunter"),
        ("client = Client(api_key = {q}{s}{q})", "a-b-c-d"),
        ("x['db_password'] = {q}{s}{q}", "letmein"),
        ("get({q}https://me:{s}@host/x{q}, verify=False)", "s3cr3t"),
        ("get(h={q}{s}{q})", "gh" + "p_" + "a1B2" * 9),
        ("get(h={q}{s}{q})", "a1B2c3D4" * 5),
    ],
)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_site_never_shows_a_credential_that_its_form_gives_away(statement: str, secret: str, quote: str) -> None:
    text = statement.format(q=quote, s=secret)
    assert secret in text
    assert secret not in locator(text, "python").site(1).statement


def test_masking_leaves_plain_statements_alone() -> None:
    for text in ("run(['/usr/local/lib/python', 'a b c'])", "author = 'Jane Doe'", "if password == 'x': pass", "token = read()"):
        assert mask(text) == text


@given(st.text(max_size=200))
def test_masking_takes_any_text(text: str) -> None:
    assert mask(mask(text)) == mask(text)
