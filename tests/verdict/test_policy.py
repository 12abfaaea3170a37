from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.cli.init import template
from assaymark.errors import PolicyInvalid
from assaymark.model.severity import Severity
from assaymark.verdict.policy import APPETITE, Level, Policy, parse_policy, strictest, weaknesses

BASE = b'[policy]\nlevel = "production"\n'


@pytest.mark.parametrize("level", list(Level))
def test_the_file_that_init_writes_is_valid_and_says_what_the_level_means(level: Level) -> None:
    text = template(level)
    assert parse_policy(text.encode()).gate == APPETITE[level]
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line and not line.startswith("# [[") else line for line in text.splitlines()
    )
    shown = uncommented.split("[checks]")[0]
    assert parse_policy(shown.encode()).gate == APPETITE[level]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\nlevel = 'prodution'\n", "prodution"),
        ("[policy]\nfail_on = 'hihg'\n", "hihg"),
        ("[polcy]\n", "polcy"),
        ("[policy\n", "line 1"),
        ("[[waiver]]\nreason = 'r'\nowner = 'o'\nuntil = 2027-01-01\n", "neither finding, rule nor path"),
        ("[[waiver]]\nrule = 'x'\nreason = ' '\nowner = 'o'\nuntil = 2027-01-01\n", "no reason"),
        ("[[waiver]]\nrule = 'x'\nreason = 'r'\nowner = 'o'\nuntil = 'soon'\n", "until"),
        ("[[waiver]]\nfinding = 'abc'\nreason = 'r'\nowner = 'o'\nuntil = 2027-01-01\n", "too short"),
        ("[[waiver]]\nrule = 'x'\ncount = 0\nreason = 'r'\nowner = 'o'\nuntil = 2027-01-01\n", "count"),
        ("[limits]\nfile_mib = 0\n", "below 1"),
        ("x = " + "[" * 5000, "nested"),
        ("\xff", "UTF-8"),
    ],
)
def test_a_wrong_policy_says_what_is_wrong_and_what_to_do(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalid) as raised:
        parse_policy(text.encode("latin-1"))
    assert said in raised.value.diagnosis()
    assert raised.value.advice


@given(st.binary(max_size=300))
def test_any_bytes_are_a_policy_or_a_clear_error(data: bytes) -> None:
    try:
        answer: Policy | str = parse_policy(data)
    except PolicyInvalid as error:
        answer = error.diagnosis()
    assert answer


def test_a_change_cannot_loosen_the_policy_and_profit_from_it_at_once() -> None:
    head = parse_policy(b'[policy]\nlevel = "prototype"\n[checks]\ndisable = ["ruff"]\nexclude = ["src/**"]\n')
    applied = strictest(parse_policy(BASE), head)
    assert applied.gate.fail_on is Severity.MEDIUM
    assert (applied.checks.disable, applied.checks.exclude) == ((), ())
    assert {w.name for w in weaknesses(parse_policy(BASE), head)} >= {"policy.fail_on", "checks.disable:ruff", "checks.exclude:src/**"}


def test_a_recorded_exception_lets_exactly_what_it_names_through() -> None:
    head = parse_policy(b'[checks]\ndisable = ["ruff", "secrets"]\n')
    applied = strictest(parse_policy(BASE), head, frozenset({"checks.disable:ruff"}))
    assert applied.checks.disable == ("ruff",)


def test_dates_are_dates() -> None:
    policy = parse_policy(b"[[waiver]]\nrule = 'x'\nreason = 'r'\nowner = 'o'\nuntil = 2027-01-31\n")
    assert policy.waiver[0].until == dt.date(2027, 1, 31)
