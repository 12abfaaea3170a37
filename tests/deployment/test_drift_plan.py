"""Infrastructure as code: the last endorsed desired state against what there is."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployment.terraform import plan, resource, standing, state

from assaymark.deployment.drift import plan as plans
from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drift.stance import Plain, Stance
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant

drift = partial(Stance(Plain(), Instant(0)).drift, "production")


def told(desired: bytes, observed: bytes) -> dict[str, Drift]:
    found = plans.drifts(plans.desired(desired, "desired"), plans.observed(observed, "observed"), drift)
    return {each.what: each for each in found}


def changed(do: Callable[[dict[str, dict[str, Any]]], object]) -> bytes:
    rows = standing()
    do({each["address"]: each["values"] for each in rows})
    return state(rows)


def test_what_is_as_it_was_endorsed_says_nothing() -> None:
    assert told(state(standing()), state(standing())) == {}
    assert told(plan(standing()), state(standing())) == {}
    assert told(plan(standing()), plan([], prior=standing())) == {}


ANYWHERE = '["0.0.0.0/0"]'
WEB, DATA, DB = "aws_security_group.web", "module.shop.aws_s3_bucket.data", "aws_db_instance.db"


@pytest.mark.parametrize(
    ("do", "what", "weight", "observed"),
    [
        (lambda v: v[WEB]["ingress"][0].update(cidr_blocks=["0.0.0.0/0"]), f"{WEB}.ingress[0].cidr_blocks", Weight.CRITICAL, ANYWHERE),
        (lambda v: v[WEB]["ingress"][0].update(from_port=22), f"{WEB}.ingress[0].from_port", Weight.CRITICAL, "22"),
        (lambda v: v[WEB]["ingress"].append({"from_port": 22}), f"{WEB}.ingress", Weight.CRITICAL, None),
        (lambda v: v[WEB]["tags"].update(team="x"), f"{WEB}.tags.team", Weight.MEDIUM, '"x"'),
        (lambda v: v[DATA].update(bucket="other"), f"{DATA}.bucket", Weight.HIGH, '"other"'),
        (lambda v: v[DATA].update(acl="public-read"), f"{DATA}.acl", Weight.CRITICAL, '"public-read"'),
        (lambda v: v[DATA].update(tags={"a": "b"}), f"{DATA}.tags", Weight.LOW, '{"a": "b"}'),
        (lambda v: v[DB].update(size=6), f"{DB}.size", Weight.HIGH, "6"),
        (lambda v: v[DB].update(size=True), f"{DB}.size", Weight.HIGH, "true"),
        (lambda v: v[DB].pop("size"), f"{DB}.size", Weight.HIGH, "nothing"),
        (lambda v: v[DB].update(more=1), f"{DB}.more", Weight.HIGH, "1"),
    ],
)  # fmt: skip
def test_every_difference_is_a_drift_of_its_weight(
    do: Callable[[dict[str, dict[str, Any]]], object], what: str, weight: Weight, observed: str | None
) -> None:
    found = told(state(standing()), changed(do))
    assert found.keys() == {what}
    assert found[what].weight is weight
    assert found[what].kind == "resource"
    assert found[what].action is Action.REPLACE
    assert observed in {None, found[what].observed}


def test_what_is_gone_and_what_nobody_asked_for_are_drifts() -> None:
    stranger = resource("aws_iam_user.stranger", {"name": "x"})
    found = told(state(standing()), state([*standing()[1:], stranger]))
    assert {(each.what, each.kind, each.weight) for each in found.values()} == {
        (WEB, "removed", Weight.CRITICAL), ("aws_iam_user.stranger", "added", Weight.CRITICAL),
    }  # fmt: skip


def test_a_secret_is_never_told() -> None:
    found = told(state(standing()), changed(lambda v: v[DB].update(password="new-word")))
    assert (found[f"{DB}.password"].expected, found[f"{DB}.password"].observed) == ("(sensitive)", "(sensitive)")
    assert "-word" not in repr(found)


def test_a_secret_that_is_marked_on_one_side_or_deep_down_is_not_told_either() -> None:
    rows = standing()
    rows[0]["values"]["ingress"] = [{"key": "hidden"}, {"key": "hidden"}]
    rows[0]["sensitive_values"] = {"ingress": [{"key": True}]}
    for found in (told(state(standing()), state(rows)), told(state(rows), state(standing()))):
        assert found.keys() == {f"{WEB}.ingress"}
        assert "hidden" not in repr(found)


def test_what_the_plan_did_not_know_is_not_compared_and_everything_else_is() -> None:
    planned = standing()
    del planned[0]["values"]["id"]
    planned[1]["values"]["bucket"] = None
    assert told(plan(planned, unknown={DATA: {"bucket": True}}), state(standing())) == {}
    assert told(plan(planned), state(standing())).keys() == {f"{DATA}.bucket"}


def test_a_plan_tells_what_was_changed_behind_it() -> None:
    change = {
        "actions": ["update"],
        "before": {"port": 443, "key": "a"},
        "after": {"port": 22, "key": "b"},
        "before_sensitive": {"key": True},
    }
    rows = [
        {"address": "aws_lb_listener.x", "mode": "managed", "type": "aws_lb_listener", "change": change},
        {"address": "aws_eip.gone", "mode": "managed", "type": "aws_eip", "change": {"before": {"id": "1"}, "after": None}},
    ]
    found = {each.what: each for each in plans.drifts(*plans.behind(plan([], behind=rows), "plan"), drift)}
    assert found.keys() == {"aws_lb_listener.x.port", "aws_lb_listener.x.key", "aws_eip.gone"}
    assert found["aws_lb_listener.x.key"].observed == "(sensitive)"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"format_version":"1.0","format_version":"1.0"}', "is no JSON"),
        (b"[]", "neither a plan nor a state"),
        (b"{}", "neither a plan nor a state"),
        (b'{"format_version":"2.0"}', "neither a plan nor a state"),
        (b'{"version":4,"resources":[]}', "is a state file"),
        (b'{"format_version":"1.0","values":{"root_module":{"resources":[{}]}}}', "no plan or state"),
        (b'{"format_version":"1.0","values":{"root_module":[]}}', "no plan or state"),
        (b'{"format_version":"1.0","values":{"root_module":{"child_modules":[1]}}}', "no plan or state"),
        (b'{"format_version":"1.0","values":{"root_module":{"child_modules":7}}}', "no plan or state"),
        (b'{"format_version":"1.2","planned_values":{}}', "does not say what there is"),
    ],
)
def test_what_is_no_plan_or_state_is_refused_with_what_to_do(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        plans.observed(data, "file")
    assert refused.value.advice


@pytest.mark.skipif(shutil.which("terraform") is None, reason="NOT PROVED: terraform is not installed")
@pytest.mark.timeout(120)
def test_terraform_s_own_words_are_understood(tmp_path: Path) -> None:
    def ask(*words: str) -> bytes:
        return subprocess.run(["terraform", *words], cwd=tmp_path, check=True, capture_output=True, timeout=60).stdout

    (tmp_path / "main.tf").write_text('terraform {}\nresource "terraform_data" "a" {\n  input = { ports = [443], word = "x" }\n}\n')
    ask("init", "-input=false")
    ask("plan", "-input=false", "-out=plan")
    desired = ask("show", "-json", "plan")
    ask("apply", "-input=false", "plan")
    observed = ask("show", "-json")
    assert told(desired, observed) == {}
    document = json.loads(observed)
    document["values"]["root_module"]["resources"][0]["values"]["input"]["ports"] = [22]
    assert told(desired, json.dumps(document).encode()).keys() == {"terraform_data.a.input.ports"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["root_module", "resources", "child_modules", "address", "mode", "type", "values", "sensitive_values", "change", "before", "after",
         "after_unknown", "before_sensitive", "x"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150)
@given(JSON, JSON, JSON)
def test_whatever_a_document_holds_is_compared_or_refused(planned: Any, changes: Any, prior: Any) -> None:
    document = {
        "format_version": "1.2",
        "planned_values": planned,
        "resource_changes": changes,
        "resource_drift": changes,
        "prior_state": prior,
    }
    data = json.dumps(document).encode()
    for read in (plans.desired, plans.observed, plans.behind):
        with contextlib.suppress(UsageError):
            found = read(data, "file")
            one, other = found if isinstance(found, tuple) else (found, found)
            plans.drifts(one, other, drift)


def _set(value: Any) -> Any:
    """What is null is not set; 1 is not true."""
    if isinstance(value, dict):
        return {name: _set(each) for name, each in value.items() if each is not None}
    return [_set(each) for each in value] if isinstance(value, list) else (type(value), value)


@settings(max_examples=100)
@given(JSON, JSON)
def test_a_snapshot_equals_itself_and_two_values_differ_where_they_do(one: Any, other: Any) -> None:
    left, right = ({"x": resource("aws_x.x", {"value": each})} for each in (one, other))
    found = told(state(list(left.values())), state(list(right.values())))
    assert bool(found) is (_set(one) != _set(other))
