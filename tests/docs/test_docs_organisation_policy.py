"""The reference of an organisation's policies says what the code says."""

from __future__ import annotations

import json
import re

import yaml
from tests.docs.docs_pages import DOCS, blocks

from assaymark.verdict.organisation import OrganisationPolicy, RuleText, Scope, schema
from assaymark.verdict.rules import Action, Floor
from assaymark.verdict.specimen import SPECIMEN

PAGE = (DOCS / "reference" / "organisation-policy.md").read_text("utf-8")


def test_the_specimen_is_the_one_that_conditions_are_tried_over() -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.info == "yaml specimen"]
    assert yaml.safe_load(shown) == {name: dict(value) if isinstance(value, dict) else value for name, value in SPECIMEN.items()}


def test_every_variable_stands_in_the_table_and_no_other() -> None:
    told = set(re.findall(r"`((?:finding|change|subject|verdict)\.[a-z_]+)`", PAGE))
    known = {f"{name}.{key}" for name in ("finding", "change", "subject", "verdict") for key in SPECIMEN[name]}
    assert told == known
    assert all(f"`{key}`" in PAGE for key in SPECIMEN["decisions"][0])


def test_every_setting_and_action_is_explained() -> None:
    for kind in (OrganisationPolicy, Scope, Floor, RuleText):
        for name in kind.__struct_fields__:
            assert f"`{name}`" in PAGE or f"## `{name}`" in PAGE or name == "kind", name
    assert all(f"| `{action}` |" in PAGE for action in Action)


def test_the_schema_beside_the_page_is_the_generated_one() -> None:
    kept = json.loads((DOCS / "reference" / "organisation-policy.schema.json").read_text("utf-8"))
    assert kept == schema()
