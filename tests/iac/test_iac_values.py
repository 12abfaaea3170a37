"""What expressions are worth when only the text is known."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.iac.folders import declared
from assaymark.checks.infrastructure.iac.modules import Budget, Module
from assaymark.checks.infrastructure.iac.values import Encoded, Unknown
from assaymark.checks.reading.yaml_tree import Unreadable

KNOWN = """
variable "env" { default = "live" }
variable "list" { default = ["a", "b"] }
variable "map" { default = { a = { n = 1 }, b = { n = 2 } } }
variable "nothing" {}
"""


def value(expression: str, more: str = "") -> object:
    folder = declared("", {"main.tf": (KNOWN + more + f"\nlocals {{\n  x = {expression}\n}}\n").encode()})
    assert folder.problem is None, folder.problem
    return Module({"": folder}, "", Budget()).local("x")


@pytest.mark.parametrize(
    ("expression", "worth"),
    [
        ('"a-${var.env}"', "a-live"),
        ('"${var.list}"', ["a", "b"]),
        ("1 + 2 * 3 - -1", 8),
        ("(1 + 2) * 3", 9),
        ("!true || 3 > 2 && true", True),
        ('var.env == "live" ? "yes" : "no"', "yes"),
        ('var.nothing ? "same" : "same"', "same"),
        ("var.nothing && false", False),
        ("var.list[1]", "b"),
        ('var.map["b"].n', 2),
        ("var.map.a.n", 1),
        ("values(var.map)[*].n", [1, 2]),
        ('[for k, v in var.map : v.n if k != "a"]', [2]),
        ("{ for x in var.list : upper(x) => x }", {"A": "a", "B": "b"}),
        ("merge({ a = 1 }, { b = 2 })", {"a": 1, "b": 2}),
        ('concat(var.list, ["c"])', ["a", "b", "c"]),
        ('lookup({ a = 1 }, "z", 7)', 7),
        ('format("%s-%d-%%", "a", 3)', "a-3-%"),
        ('join(",", var.list)', "a,b"),
        ('split(",", "a,b")', ["a", "b"]),
        ('coalesce(null, "", "c")', "c"),
        ("length(var.map)", 2),
        ('contains(var.list, "b")', True),
        ('tobool("true")', True),
        ("flatten([[1, [2]], 3])", [1, 2, 3]),
        ("element(var.list, 3)", "b"),
        ('replace("a.b", ".", "-")', "a-b"),
        ('jsondecode("{\\"a\\": [1]}")', {"a": [1]}),
        ("jsondecode(jsonencode({ a = var.env }))", {"a": "live"}),
        ("try(var.list[0], 9)", "a"),
        ("max(1, 5, 3)", 5),
        ("min([4, 2]...)", 2),
        ('"a\\tb\\u0041$${x}"', "a\tbA${x}"),
        ("<<-EOT\n      one\n        two\n    EOT\n", "one\n  two\n"),
        ('<<EOT\n{"a": "x\\ny ${var.env} $${z}"}\nEOT\n', '{"a": "x\\ny live ${z}"}\n'),
        ("null", None),
        ("1.5e1", 15.0),
        ("-3", -3),
    ],
)
def test_known_values_are_worked_out(expression: str, worth: object) -> None:
    assert value(expression) == worth


@pytest.mark.parametrize(
    "expression",
    [
        "var.nothing",
        "var.undeclared",
        '"x" ? 1 : 2',
        'var.nothing ? "a" : "b"',
        "aws_instance.web.public_ip",
        "data.aws_ami.a.id",
        "module.absent.value",
        'file("x")',
        "timestamp()",
        "uuid()",
        'regex("(a+)+", "aaaa")',
        'replace("aaa", "/(a+)+/", "")',
        "var.list[9]",
        "1 / 0",
        "upper(var.nothing)",
        "[1, 2][var.nothing]",
        '"%{ if var.nothing }a%{ endif }"',
        "undefined_function(1)",
        "range(1000000)",
        "each.value",
        "var.nothing == null",
    ],
)
def test_what_only_a_plan_would_tell_is_unknown_and_so_is_what_is_wrong(expression: str) -> None:
    assert isinstance(value(expression), Unknown)


def test_a_template_with_an_unknown_part_keeps_the_rest() -> None:
    found = value('"arn:${var.nothing}:x"')
    assert isinstance(found, Unknown)
    assert found.text == "arn:\ufffc:x"


def test_a_document_keeps_what_is_known_beside_what_is_not() -> None:
    found = value('jsonencode({ a = var.nothing, b = "c" })')
    assert isinstance(found, Encoded)
    assert found.value["b"] == "c"
    assert isinstance(found.value["a"], Unknown)


def test_circles_are_unknown() -> None:
    assert isinstance(value("local.y", "locals {\n  y = local.z\n  z = local.y\n}\n"), Unknown)


def test_growing_texts_and_lists_end() -> None:
    text = "\n".join(f'  t{n} = "${{local.t{n - 1}}}${{local.t{n - 1}}}"' for n in range(1, 60))
    assert isinstance(value("local.t59", f'locals {{\n  t0 = "xxxxxxxx"\n{text}\n}}\n'), Unknown)
    lists = "\n".join(f"  l{n} = concat(local.l{n - 1}, local.l{n - 1})" for n in range(1, 60))
    assert isinstance(value("local.l59", f"locals {{\n  l0 = [1, 2, 3]\n{lists}\n}}\n"), Unknown)


def test_loops_within_loops_end_with_a_reason() -> None:
    inner = "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]"
    with pytest.raises(Unreadable, match="steps"):
        value(inner)


def test_deep_nesting_ends_with_a_reason_and_a_line() -> None:
    with pytest.raises(Unreadable) as caught:
        value("[" * 400 + "var.x" + "]" * 400)
    assert caught.value.reason_class == "nesting"
    assert caught.value.line > 0


def test_a_fallback_is_not_used_where_the_value_is_unknown() -> None:
    assert isinstance(value('coalesce(var.nothing, "b")'), Unknown)
    assert isinstance(value('lookup(var.nothing, "a", "b")'), Unknown)
    assert isinstance(value("merge(var.nothing, { a = 1 })"), Unknown)
