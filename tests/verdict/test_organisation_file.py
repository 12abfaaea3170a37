"""Documents that are refused, with their lines; and the order of documents from weaker to stricter."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from tests.verdict.policy_samples import document, policy, rule

from assaymark.errors import PolicyInvalid
from assaymark.verdict.organisation import OrganisationPolicy, schema, weaker
from assaymark.verdict.organisation_file import MOST_BYTES, parse, parse_one, tried

GOOD = """\
kind: Policy
metadata:
  name: base
  version: 1.0.0
applies:
  teams: [shop]
floor:
  fail_on: high
rules:
  - id: no-critical
    when: finding.rank >= rank.critical
    action: stop
    message: nowhere
    advice: repair it
    examples:
      - holds: true
        finding: {severity: critical}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: Policy", "kind: Polizei", 1, "kind"),
        ("fail_on: high", "fail_on: hihg", 8, "hihg"),
        ("fail_on: high", "fail-on: high", 8, "fail-on"),
        ("teams: [shop]", "teams: shop", 6, "teams"),
        ("version: 1.0.0", "version: 1", 4, "version"),
        ("name: base", "name: Base Line", 3, "name"),
        ("name: base", "name: new", 3, "taken"),
        ("id: no-critical", "id: No Critical", 10, "id"),
        ("action: stop", "action: halt", 12, "halt"),
        ("action: stop", "action: allow\n    over: change", 12, "allow"),
        ("message: nowhere", "message: ' '", 13, "message"),
        ("when: finding.rank >= rank.critical", "when: finding.rank >", 11, "when"),
        ("when: finding.rank >= rank.critical", "when: findings.rank >= 1", 11, "findings"),
        ("when: finding.rank >= rank.critical", "when: finding.rnk >= 1", 11, "rnk"),
        ("when: finding.rank >= rank.critical", "when: finding.rank", 11, "true or false"),
        ("when: finding.rank >= rank.critical", "when: decisions[0].days > 1", 11, "when"),
        ("when: finding.rank >= rank.critical", "when: finding.rank >= rank.critical\n    over: change", 11, "finding"),
        ("when: finding.rank >= rank.critical", 'when: "' + "decisions.all(d, " * 3 + 'true)))"', 11, "loops"),
        ("holds: true", "holds: yes", 16, "holds"),
        ("finding: {severity: critical}", "finding: {severty: critical}", 17, "severty"),
        ("finding: {severity: critical}", "finding: {line: one}", 17, "line"),
        ("advice: repair it", "advice: repair it\n    advice: again", 15, "twice"),
        ("teams: [shop]", "teams: !!python/object:os.system [shop]", 6, "tag"),
        ("teams: [shop]", "max_waiver_days: 3", 6, "max_waiver_days"),
        ("fail_on: high", "max_waiver_days: 0", 8, "max_waiver_days"),
    ],
)  # fmt: skip
def test_a_document_is_refused_with_the_line_that_is_wrong(old: str, new: str, line: int, words: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(PolicyInvalid) as caught:
        parse(text.encode(), "base.yaml")
    told = f"{caught.value.what} {caught.value.why}"
    assert caught.value.what.startswith(f"base.yaml, line {line}: "), told
    assert words in told
    assert caught.value.advice


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"a: [",
        b"- 1",
        b"kind: Policy",
        b"x" * (MOST_BYTES + 1),
        b"a: &a [*a]",
        b"a: &a {b: *a}",
        b"&a [" + b"*a," * 1000 + b"]",
        b"[" * 300,
        ("&a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"---\nk: &b{n} [{'*a0,' * 10}]\n" for n in range(3))).encode(),
        b"".join(b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n) if n else b"x"] * 9)) for n in range(7)),
    ],
    ids=["empty", "no-text", "torn", "list", "bare", "huge", "self", "self-table", "many-aliases", "deep", "streams", "bomb"],
)
def test_hostile_files_are_refused_quickly_and_change_nothing(data: bytes) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        parse(data, "x.yaml")
    assert "x.yaml" in caught.value.what


@drawn(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_whatever_the_bytes_a_file_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(PolicyInvalid):
        assert parse(data, "x.yaml")


def test_examples_are_tried_and_say_what_went_otherwise() -> None:
    good = policy(GOOD)
    assert [each.passed for each in tried(good)] == [True]
    wrong = policy(GOOD.replace("severity: critical", "severity: low"))
    (result,) = tried(wrong)
    assert (result.rule, result.passed, result.said) == ("no-critical", False, "the condition is false and should be true")


def test_several_documents_of_one_file_have_names_of_their_own() -> None:
    both = GOOD + "---\n" + GOOD.replace("name: base", "name: other")
    assert [each.metadata.name for each in parse(both.encode(), "x")] == ["base", "other"]
    with pytest.raises(PolicyInvalid, match="exists twice"):
        parse((GOOD + "---\n" + GOOD).encode(), "x")
    with pytest.raises(PolicyInvalid, match="2 policies"):
        parse_one(both.encode(), "x")


def test_the_schema_says_what_the_reader_says() -> None:
    import jsonschema_rs  # noqa: PLC0415
    import yaml  # noqa: PLC0415

    validator = jsonschema_rs.validator_for(schema())
    assert validator.is_valid(yaml.safe_load(GOOD))
    assert not validator.is_valid(yaml.safe_load(GOOD.replace("fail_on", "fail-on")))
    assert not validator.is_valid(yaml.safe_load(GOOD.replace("action: stop", "action: halt")))


BASE = document(rule("finding.rank > 2"), floor="{fail_on: high, checks: [secrets]}", applies="{teams: [shop, bank]}")


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (BASE, []),
        (BASE.replace("fail_on: high", "fail_on: medium"), []),
        (BASE.replace("fail_on: high", "fail_on: critical"), ["floor.fail_on"]),
        (BASE.replace("fail_on: high, ", ""), ["floor.fail_on"]),
        (BASE.replace(", checks: [secrets]", ""), ["floor.checks:secrets"]),
        (BASE.replace("action: stop", "action: warn"), ["rules:r"]),
        (BASE.replace("action: stop", "action: require-approval"), ["rules:r"]),
        (BASE.replace("rank > 2", "rank  > 2"), []),
        (BASE.replace("rank > 2", "rank > 3"), ["rules:r"]),
        (BASE.replace("id: r\n", "id: other\n"), ["rules:r"]),
        (BASE + "    states: [new, known]\n", []),
        (BASE + "    states: [known]\n", ["rules:r"]),
        (BASE + "    waived: true\n", []),
        (BASE + rule("true", "warn", "more"), []),
        (BASE + rule("true", "allow", "gift"), ["rules:gift"]),
        (BASE.replace("[shop, bank]", "[shop]"), ["applies.teams"]),
        (BASE.replace("[shop, bank]", "[shop, bank, mint]"), []),
        (BASE.replace("applies: {teams: [shop, bank]}\n", ""), []),
        (BASE.replace("{teams: [shop, bank]}", "{teams: [shop, bank], branches: [main]}"), ["applies.branches"]),
    ],
)
def test_a_document_is_weaker_where_it_asks_for_less_or_may(after: str, names: list[str]) -> None:
    assert [each.name for each in weaker(policy(BASE), policy(after))] == names


def test_what_lets_through_more_is_weaker() -> None:
    gift = document(rule("finding.rank < 2", "allow"), applies="{teams: [shop]}")
    assert [each.name for each in weaker(None, policy(gift))] == ["rules:r"]
    assert weaker(policy(gift), policy(document(floor="{fail_on: high}", applies="{teams: [shop]}"))) == ()
    wider = gift.replace("{teams: [shop]}", "{teams: [shop, bank]}")
    assert [each.name for each in weaker(policy(gift), policy(wider))] == ["applies.teams"]
    assert [each.name for each in weaker(policy(gift), policy(gift.replace("rank < 2", "rank < 4")))] == ["rules:r"]


def test_without_a_policy_everything_that_it_asked_for_is_gone() -> None:
    assert [each.name for each in weaker(policy(BASE), None)] == ["floor.checks:secrets", "floor.fail_on", "rules:r"]


_DOCUMENTS = st.builds(
    document,
    st.lists(
        st.builds(
            rule,
            st.sampled_from(["true", "finding.rank > 2", "finding.waived"]),
            st.sampled_from(["stop", "warn", "allow", "require-approval"]),
            st.sampled_from(["a", "b"]),
        ),
        max_size=2,
        unique_by=lambda text: text.split()[2],
    ).map("".join),
    st.sampled_from(["", "{level: internal}", "{level: regulated}", "{fail_on: info}", "{max_waiver_days: 3}"]),
    st.sampled_from(["", "{teams: [shop]}", "{teams: [shop, bank]}"]),
).map(policy)


@drawn(_DOCUMENTS)
def test_no_document_is_weaker_than_itself(one: OrganisationPolicy) -> None:
    assert weaker(one, one) == ()


@drawn(_DOCUMENTS, _DOCUMENTS, _DOCUMENTS)
def test_going_up_twice_is_never_going_down(one: OrganisationPolicy, two: OrganisationPolicy, three: OrganisationPolicy) -> None:
    if not weaker(one, two) and not weaker(two, three):
        assert not weaker(one, three)
