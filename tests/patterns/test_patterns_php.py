"""What PHP has of its own: pages around code, superglobals everywhere, proofs by conditions, comments of its tools, names in the site."""

from __future__ import annotations

import pytest

from assaymark.checks.application.patterns.judge import judge
from assaymark.checks.application.patterns.php.pack import PACK
from assaymark.model.check import Checked, Dialect, Input, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import CodeSite, Sighting
from assaymark.model.severity import Confidence


def sightings(text: str) -> tuple[Sighting, ...]:
    content = text.encode()
    outcome = judge(PACK, Input(sha256(content), Dialect("php"), (Part("", content),)))
    assert isinstance(outcome, Checked), outcome
    return outcome.sightings


def rules(text: str) -> set[str]:
    return {each.rule for each in sightings(text)}


@pytest.mark.parametrize(
    ("comment", "asked"),
    [
        ("// phpcs:ignore WordPress.Security.EscapeOutput", True),
        ("// phpcs:ignore", True),
        ("/** @psalm-suppress TaintedHtml */", True),
        ("# nosemgrep: php.lang.security.echoed-request", True),
        ("// phpcs:ignore WordPress.DB.PreparedSQL", False),
        ("/** @psalm-suppress TaintedSql */", False),
        ("// a remark", False),
    ],
)
def test_comments_of_other_tools_are_recorded_for_the_rules_that_they_name(comment: str, asked: bool) -> None:
    (found,) = sightings(f"<?php\n{comment}\necho $_GET['a'];\n")
    assert (found.suppression is not None) is asked


@pytest.mark.parametrize(
    "check",
    [
        "if (is_numeric($x)) { USE }",
        "if (!ctype_alnum($x)) { exit; } USE",
        "if (!in_array($x, ['a', 'b'], true)) { $x = 'a'; } USE",
        "if (preg_match('/^[a-z]+$/', $x)) { USE }",
        "$p = '/^[a-z]+$/'; if (preg_match($p, $x) === 1) { USE }",
        "if ($x === 'a') { USE }",
        "if ($x == 'a') { $x = 'b'; } else { $x = 'c'; } USE",
        "$x = (int) $x; USE",
        "$x += 0; USE",
        "settype($x, 'integer'); USE",
        "$x = preg_replace('/[^a-z0-9_-]/i', '', $x); USE",
        "$x = filter_var($x, FILTER_SANITIZE_NUMBER_INT); USE",
    ],
)
def test_what_a_condition_or_a_conversion_proves_is_clean(check: str) -> None:
    text = "<?php function f($db) { $x = $_GET['x']; " + check + " }"
    for use in ("echo $x;", "system('ls ' . $x);", "$db->query(\"SELECT * FROM t WHERE a = '$x'\");"):
        assert rules(text.replace("USE", use)) == set()


@pytest.mark.parametrize(
    "check",
    [
        "if (!is_numeric($x)) { USE }",
        "if (is_numeric($y)) { USE }",
        "if (is_numeric($x) || $y) { USE }",
        "if (is_numeric($x)) { $y = 1; } USE",
        "if (preg_match('/^[^<]+$/', $x)) { $y = 1; } USE",
        "if ($x != '') { USE }",
        "if (!is_numeric($x)) { exit; } $x = $_GET['y']; USE",
        "if (is_numeric($x)) { $x = $_GET['y']; USE }",
        "if (!is_numeric($x)) { $x = $_GET['y']; } USE",
        "if ($y) { $x = 'b'; } USE",
        "$x = preg_replace('/[<>]/', '', $x); USE",
    ],
)
def test_what_proves_nothing_is_foreign(check: str) -> None:
    text = "<?php function f($y) { $x = $_GET['x']; " + check.replace("USE", "system('ls ' . $x);") + " }"
    assert "php/command-built" in rules(text)


def test_a_page_is_read_around_the_code_and_every_tag_is_judged_once() -> None:
    text = "<h1>echo $_GET</h1>\n<?php $n = $_POST['n']; ?>\n<b><?= $n ?></b>\n<i><?= htmlspecialchars($n) ?></i>\n<?= $n ?>\n"
    assert [(each.rule, each.span.start_line) for each in sightings(text) if each.span] == [("php/reply-tag", 3), ("php/reply-tag", 5)]


def test_names_are_resolved_through_imports_types_and_what_is_made() -> None:
    text = "<?php use GuzzleHttp\\Client as Web; class A { function __construct(private Web $w) {} function f() { USE } }"
    text = text.replace("USE", "$this->w->get($_GET['u']);")
    assert rules(text) == {"php/client-request"}
    assert rules("<?php $w = new \\GuzzleHttp\\Client(); $w->post($_POST['u']);") == {"php/client-request"}
    assert rules("<?php class A { function f(Cache $w) { $w->get($_GET['u']); } }") == set()


def test_elements_and_properties_are_followed_one_by_one() -> None:
    text = (
        "<?php $row['a'] = $_GET['a']; $row['b'] = 'x'; echo $row['b']; class A { function f() { $this->n = $_POST['n']; echo $this->n; } }"
    )
    assert [each.rule for each in sightings(text)] == ["php/reply-html"]
    site = sightings(text)[0].site
    assert isinstance(site, CodeSite)
    assert site.scope[-2:] == ("A", "f")


def test_values_of_nobody_knows_whom_do_not_stop_a_change() -> None:
    for text in (
        "<?php function f($t) { return $this->db->query('SELECT * FROM ' . $t); }",
        "<?php function f($d) { exec('ls ' . $d); }",
        "<?php function f($s) { return eval('return ' . $s . ';'); }",
    ):
        assert all(each.confidence is Confidence.LOW for each in sightings(text)), text


def test_what_cannot_be_read_where_a_rule_would_look_is_unchecked() -> None:
    content = b"<?php function f( { echo $_GET['a'] ; if ( } system($_GET[); class {"
    assert isinstance(judge(PACK, Input(sha256(content), Dialect("php"), (Part("", content),))), Unchecked)
