from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.model.digest import sha256
from assaymark.model.finding import (
    CheckId,
    CodeSite,
    ComponentSite,
    ConfigurationSite,
    EndpointSite,
    EventSite,
    HostSite,
    Kind,
    Layer,
    RuleClassId,
    RuleId,
    SecretSite,
    Sighting,
    Site,
    Span,
    UncheckedSite,
)
from assaymark.model.identity import CURRENT, SCHEMES, Seen, core_of, identify
from assaymark.model.rules import Catalogue, RuleClass, RuleInfo
from assaymark.model.severity import Severity

CATALOGUE = Catalogue(
    classes={RuleClassId("command-injection"): RuleClass(RuleClassId("command-injection"), "t", 78)},
    rules={
        RuleId(name): RuleInfo(RuleId(name), RuleClassId("command-injection"), "t")
        for name in ("ruff/S602", "bandit/B602", "semgrep/shell")
    },
)


def seen(rule: str, *, site: Site | None = None, path: str = "src/a.py", line: int = 3, column: int = 5) -> Seen:
    return Seen(
        Sighting(
            rule=RuleId(rule),
            site=site or CodeSite(("f",), "run(cmd, shell=True)"),
            severity=Severity.HIGH,
            message="m",
            span=Span(line, column, line, column + 4),
        ),
        CheckId(rule.partition("/")[0]),
        Layer.APPLICATION,
        sha256(b"content"),
        path,
    )


def test_three_tools_that_see_one_weakness_give_one_finding_with_three_witnesses() -> None:
    (finding,) = identify([seen("ruff/S602"), seen("bandit/B602", column=1), seen("semgrep/shell")], CATALOGUE)
    assert [w.check for w in finding.witnesses] == ["bandit", "ruff", "semgrep"]


def test_one_rule_that_sees_a_core_twice_has_seen_two_findings() -> None:
    both = [seen("ruff/S602", line=3), seen("ruff/S602", line=9)]
    assert len(identify(both, CATALOGUE)) == 2
    assert len(identify([*both, seen("bandit/B602", line=3)], CATALOGUE)) == 2


def test_a_rule_that_nobody_mapped_is_a_class_of_its_own() -> None:
    found = identify([seen("ruff/S602"), seen("foreign/thing")], CATALOGUE)
    assert {f.core.rule_class for f in found} == {"command-injection", "foreign/thing"}


@pytest.mark.parametrize(
    "site",
    [
        CodeSite(("f",), "run(x)"),
        SecretSite("ab" * 32, "key1"),
        ComponentSite("pkg:pypi/requests", "CVE-2018-18074", "2.19.0"),
        ConfigurationSite("jobs.build.steps[checkout]", "persist-credentials"),
        EndpointSite("orders", "GET /orders/{id}", "id"),
        HostSite("ssh-root-login", "/etc/ssh/sshd_config"),
        EventSite("security-group-opened", "alice", "sg-1"),
        UncheckedSite(CheckId("ruff"), "blob", "syntax"),
    ],
)
def test_no_core_knows_path_line_or_tool(site: Site) -> None:
    here = core_of(seen("ruff/S602", site=site, path="a.py", line=1), CATALOGUE)
    there = core_of(seen("bandit/B602", site=site, path="deep/b.py", line=99), CATALOGUE)
    assert here == there
    assert here.kind in set(Kind)


def test_a_component_is_the_same_finding_in_another_version() -> None:
    old, new = (ComponentSite("pkg:pypi/requests", "CVE-2018-18074", v) for v in ("2.18.0", "2.19.0"))
    assert core_of(seen("osv/x", site=old), CATALOGUE) == core_of(seen("osv/x", site=new), CATALOGUE)


def test_every_scheme_names_every_finding_and_the_names_carry_the_scheme() -> None:
    for scheme in SCHEMES:
        (finding,) = identify([seen("ruff/S602")], CATALOGUE, scheme)
        assert finding.fingerprint.startswith(scheme + ":")
    assert CURRENT in SCHEMES


rows = st.builds(
    seen,
    st.sampled_from(["ruff/S602", "bandit/B602", "semgrep/shell", "foreign/thing"]),
    path=st.sampled_from(["a.py", "b.py"]),
    line=st.integers(1, 5),
)


@settings(deadline=None)
@given(st.lists(rows, max_size=12), st.randoms(use_true_random=False))
def test_findings_do_not_depend_on_the_order_of_sightings(sightings: list[Seen], random: object) -> None:
    shuffled = list(sightings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert identify(sightings, CATALOGUE) == identify(shuffled, CATALOGUE)


@settings(deadline=None)
@given(st.lists(rows, max_size=12))
def test_adding_a_tool_that_sees_nothing_else_adds_no_finding(sightings: list[Seen]) -> None:
    echo = [seen("echo/x", path=s.path, line=s.sighting.span.start_line) for s in sightings if s.check == "ruff" and s.sighting.span]
    catalogue = Catalogue(CATALOGUE.classes, {**CATALOGUE.rules, RuleId("echo/x"): CATALOGUE.rules[RuleId("ruff/S602")]})
    assert len(identify([*sightings, *echo], catalogue)) == len(identify(sightings, catalogue))
