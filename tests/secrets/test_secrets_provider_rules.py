"""Every own provider rule finds what it must and leaves alone what only looks like it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from assaymark.checks.application.secrets.provider_rules import find, rules
from assaymark.model.finding import Sighting
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence

Scan = Callable[..., tuple[Sighting, ...]]
NAMES = sorted(rules())


def test_there_are_formats_of_at_least_sixty_providers() -> None:
    assert len({rule.provider for rule in rules().values()}) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_a_true_sample_is_found_where_it_stands(name: str, scan: Scan, maker: Any) -> None:
    text, secret = maker.of_rule(rules()[name])
    content = f"first line\n  emoji 😀 {text} \nlast line\n"
    assert [hit.value.value.decode() for hit in find(name, content.encode())] == [secret]
    line = content.split("\n")[1]
    column = line.index(secret) + 1
    covering = [s for s in scan(content) if s.span and s.span.start_line == 2 and s.span.start_column <= column < s.span.end_column]
    assert covering, f"{name}: nothing was reported at the secret"
    classes = {catalogue().class_of(s.rule) for s in covering}
    assert classes & {rules()[name].rule_class, "hardcoded-credential", "credential-in-url"}


@pytest.mark.parametrize("name", NAMES)
def test_a_placeholder_of_the_same_shape_is_not_found(name: str, maker: Any) -> None:
    rule = rules()[name]
    text, secret = maker.of_rule(rule)
    filler = secret[:4] + "".join("0" if c.isdigit() else "x" if c.islower() else "X" if c.isupper() else c for c in secret[4:])
    assert list(find(name, text.replace(secret, filler).encode())) == []


@pytest.mark.parametrize("name", [name for name in NAMES if rules()[name].bounded])
def test_a_token_inside_a_longer_word_is_not_found(name: str, maker: Any) -> None:
    _, secret = maker.of_rule(rules()[name])
    assert all(hit.start > 0 for hit in find(name, ("Z9" + secret).encode()))


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_is_mapped_to_its_class(name: str) -> None:
    assert catalogue().class_of(f"secrets/{name}") == rules()[name].rule_class  # type: ignore[arg-type]


def test_a_github_token_with_a_right_checksum_is_sure_and_with_a_wrong_one_is_not(scan: Scan, maker: Any) -> None:
    token = maker.github()
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    (good,) = scan(f"x = '{token}'", "code")
    (bad,) = scan(f"x = '{wrong}'", "code")
    assert (good.confidence, dict(good.notes)["validated"]) == (Confidence.HIGH, "checksum ok")
    assert (bad.confidence, dict(bad.notes)["validated"]) == (Confidence.LOW, "checksum wrong")


def test_the_account_of_an_aws_key_is_noted(scan: Scan) -> None:
    account = 123456789012
    raw = ((account << 7) | (1 << 47)).to_bytes(6, "big") + bytes((7, 91, 200, 13))
    key = "AKI" + "A" + base64.b32encode(raw).decode()
    (found,) = [s for s in scan(f"id: {key}\n", "yaml") if s.rule == "secrets/aws-access-key-id"]
    assert dict(found.notes)["aws-account"] == f"{account:012d}"


def test_the_documentation_key_of_aws_is_no_finding(scan: Scan) -> None:
    assert scan("aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE\n", "config") == ()
