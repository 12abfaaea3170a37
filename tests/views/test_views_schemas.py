"""Every machine-readable report keeps to its schema, for every sample and for any text."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.views import views_sample as sample

from assaymark.model.verdict import Verdict
from assaymark.views import jsonout
from assaymark.views.formats import renderer

SCHEMAS = Path(__file__).parent / "schemas"
JSON_FORMATS = {
    "sarif": "sarif-2.1.0.schema.json",
    "gitlab-sast": "gitlab-sast-15.2.1.json",
    "gitlab-secrets": "gitlab-secret-detection-15.2.1.json",
    "gitlab-codequality": "gitlab-codequality.json",
}
VERDICTS: dict[str, Callable[[], Verdict]] = {
    "rich": sample.rich,
    "empty": sample.empty,
    "unproven": sample.unproven,
    "hostile": sample.hostile,
    "many": partial(sample.huge, 1_000),
}
ANY_TEXT = st.text(st.characters(), min_size=1, max_size=12)


@cache
def validator(name: str) -> Any:
    return jsonschema_rs.validator_for((SCHEMAS / name).read_text("utf-8"))


@cache
def junit_schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / "jenkins-junit-10.xsd"))


def check_json(form: str, verdict: Verdict) -> Any:
    text = renderer(form)(verdict, sample.OPTIONS)
    report = json.loads(text)
    errors = [f"{list(e.instance_path)}: {e.message}" for e in validator(JSON_FORMATS[form]).iter_errors(report)]
    assert errors == []
    return report


def check_junit(verdict: Verdict) -> Any:
    tree = etree.fromstring(renderer("junit")(verdict, sample.OPTIONS).encode(), etree.XMLParser(huge_tree=True))
    assert junit_schema().validate(tree), str(junit_schema().error_log)
    return tree


def check_own(verdict: Verdict) -> Any:
    report = json.loads(renderer("json")(verdict, sample.OPTIONS))
    jsonschema_rs.validator_for(json.dumps(jsonout.schema())).validate(report)
    return report


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("form", JSON_FORMATS)
def test_json_reports_keep_to_their_schemas(form: str, name: str) -> None:
    check_json(form, VERDICTS[name]())


@pytest.mark.parametrize("name", VERDICTS)
def test_junit_keeps_to_its_schema(name: str) -> None:
    check_junit(VERDICTS[name]())


@pytest.mark.parametrize("name", VERDICTS)
def test_own_json_keeps_to_its_packaged_schema(name: str) -> None:
    check_own(VERDICTS[name]())


def test_packaged_schema_is_the_generated_one() -> None:
    packaged = json.loads((files("assaymark.views") / "schema" / "verdict-1.schema.json").read_text("utf-8"))
    assert packaged == jsonout.schema()


def test_schemas_can_say_no() -> None:
    """A validator that accepts everything would prove nothing."""
    for name in JSON_FORMATS.values():
        assert not validator(name).is_valid({"version": 1})
    assert not junit_schema().validate(etree.fromstring(b"<testsuites><testcase/></testsuites>"))


@pytest.mark.parametrize("form", ["gitlab-sast", "gitlab-secrets"])
def test_gitlab_reports_hold_no_field_that_the_transcribed_schema_leaves_out(form: str) -> None:
    report = check_json(form, sample.rich())
    assert report["vulnerabilities"]
    for vulnerability in report["vulnerabilities"]:
        assert not {"details", "cvss_vectors"} & set(vulnerability)
    assert "observability" not in report["scan"]


@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=3).map(tuple))
def test_no_text_breaks_a_machine_readable_report(texts: tuple[str, ...]) -> None:
    verdict = sample.hostile(texts)
    for form in JSON_FORMATS:
        check_json(form, verdict)
    check_junit(verdict)
    report = check_own(verdict)
    assert len(report["verdict"]["findings"]) == len(verdict.findings)
