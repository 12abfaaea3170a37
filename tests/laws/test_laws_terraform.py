"""The laws of identity on Terraform modules edited by machine; each example goes through planning, closures, rules, joining and judging."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.checks.infrastructure.iac.table import table
from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, State, Verdict

Assay = Callable[[Mapping[str, str | bytes], Mapping[str, str | bytes]], Verdict]
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SAMPLES = tomllib.loads((Path(__file__).parents[1] / "iac" / "samples" / "tables.toml").read_text("utf-8"))
BLOCKS = [
    f'resource "{table()[name].resources[0]}" "r{number}" {{\n{row["bad"].strip()}\n}}\n'
    for number, (name, row) in enumerate(SAMPLES.items())
]
NET = """variable "from" {}

resource "aws_security_group_rule" "ssh" {
  type        = "ingress"
  protocol    = "tcp"
  from_port   = 22
  to_port     = 22
  cidr_blocks = var.from
}
"""
CALL = 'module "net" {\n  source = "../modules/net"\n  from   = ["0.0.0.0/0"]\n}\n'


@pytest.fixture(scope="module")
def assay_terraform(make_assay: Callable[[frozenset[str]], Assay]) -> Assay:
    return make_assay(frozenset({"terraform"}))


def new(verdict: Verdict) -> list[Judged]:
    return [j for j in verdict.findings if j.state in (State.NEW, State.CHANGED) and j.finding.core.kind is not Kind.UNCHECKED]


def layout(chance: random.Random, blocks: list[str]) -> dict[str, str]:
    """The blocks spread over the files of a module, in any order, with anything harmless between them."""
    names = ["live/main.tf", "live/data.tf", "live/net.tf", "live/x.tf"][: chance.randint(1, 4)]
    texts = dict.fromkeys(names, "")
    for block in chance.sample(blocks, len(blocks)):
        filler = chance.choice(
            ["", "\n\n", "# a remark\n", "/* two\n lines */\n", f'locals {{\n  l{chance.randrange(10**9)} = "x"\n}}\n', ""]
        )
        texts[chance.choice(names)] += filler + block
    return {name: text for name, text in texts.items() if text}


def subset(chance: random.Random) -> list[str]:
    return [*chance.sample(BLOCKS, 12), CALL]


def beside(files: Mapping[str, str]) -> dict[str, str]:
    return {**files, "modules/net/main.tf": NET}


def test_there_is_something_to_prove_the_laws_with(assay_terraform: Assay) -> None:
    found = new(assay_terraform({}, {"live/main.tf": "\n".join(BLOCKS)}))
    assert len(found) >= len(BLOCKS)


@some
@given(seeds)
def test_stillness_and_movement_within_a_module_yield_nothing_new(assay_terraform: Assay, seed: int) -> None:
    chance = random.Random(seed)
    blocks = subset(chance)
    assert not new(assay_terraform(beside(layout(chance, blocks)), beside(layout(chance, blocks))))


@some
@given(seeds)
def test_stillness_layout_and_neighbours_are_no_difference(assay_terraform: Assay, seed: int) -> None:
    chance = random.Random(seed)
    files = layout(chance, subset(chance))
    edited = {name: text.replace("\n", "\r\n").replace(" = ", "   =  ") for name, text in files.items()}
    edited["live/more.tf"] = 'variable "more" {\n  default = 1\n}\nresource "null_resource" "n" {\n  count = var.more\n}\n'
    assert not new(assay_terraform(beside(files), beside(edited)))


@some
@given(seeds)
def test_movement_of_a_folder_yields_nothing_new_and_a_copy_yields_the_copies(assay_terraform: Assay, seed: int) -> None:
    chance = random.Random(seed)
    files = beside(layout(chance, subset(chance)))
    moved = {f"infra/{name}": text for name, text in files.items()}
    assert not new(assay_terraform(files, moved))
    copied = {name.replace("live/", "test/"): text for name, text in files.items() if name.startswith("live/")}
    assert len(new(assay_terraform(files, {**files, **copied}))) == len(new(assay_terraform({}, {"modules/net/main.tf": NET, **copied})))


DEFECTS = (
    'resource "aws_ebs_volume" "brought" {\n  size = 1\n}\n',
    'resource "aws_sns_topic" "brought" {\n  name = "x"\n}\n',
    'resource "google_redis_instance" "brought" {\n  auth_enabled = true\n}\n',
    NET.replace('"ssh"', '"brought"').replace("var.from", '["0.0.0.0/0"]').partition("\n\n")[2],
)


@some
@given(seeds)
def test_honesty_one_real_defect_anywhere_is_exactly_one_new_finding(assay_terraform: Assay, seed: int) -> None:
    chance = random.Random(seed)
    files = layout(chance, subset(chance))
    name = chance.choice(sorted(files))
    head = {**files, name: files[name] + chance.choice(DEFECTS)}
    (found,) = new(assay_terraform(beside(files), beside(head)))
    assert found.finding.core.parts[0].endswith(".brought")
    assert found.finding.place.path == name


def test_honesty_a_defect_in_place_of_a_repaired_one_is_new(assay_terraform: Assay) -> None:
    before = 'resource "aws_ebs_volume" "v" {\n  encrypted = false\n}\n'
    after = 'resource "aws_efs_file_system" "v" {\n  encrypted = false\n}\n'
    (found,) = new(assay_terraform({"a.tf": before}, {"a.tf": after}))
    assert found.finding.rule == "terraform/efs-unencrypted"


def test_honesty_what_a_default_far_away_makes_wrong_is_new_where_it_is_wrong(assay_terraform: Assay) -> None:
    files = {
        "live/main.tf": 'resource "aws_ebs_volume" "v" {\n  encrypted = var.on\n}\n',
        "live/v.tf": 'variable "on" {\n  default = true\n}\n',
    }
    head = {**files, "live/v.tf": files["live/v.tf"].replace("true", "false")}
    (found,) = new(assay_terraform(files, head))
    assert found.finding.place.path == "live/main.tf"


def test_honesty_a_module_that_turns_bad_is_one_finding_however_many_call_it(assay_terraform: Assay) -> None:
    users = {f"live{n}/main.tf": CALL.replace("0.0.0.0/0", "10.0.0.0/8") for n in range(4)}
    head = NET.replace("var.from", '["0.0.0.0/0"]')
    (found,) = new(assay_terraform({**users, "modules/net/main.tf": NET}, {**users, "modules/net/main.tf": head}))
    assert found.finding.place.path == "modules/net/main.tf"


def test_honesty_a_module_that_passes_on_what_callers_give_is_new_at_each_call_that_gives_it(assay_terraform: Assay) -> None:
    users = {"one/main.tf": CALL, "two/main.tf": CALL.replace("0.0.0.0/0", "10.0.0.0/8")}
    before = NET.replace("var.from", '["10.0.0.0/8"]')
    (found,) = new(assay_terraform({**users, "modules/net/main.tf": before}, {**users, "modules/net/main.tf": NET}))
    assert found.finding.place.path == "one/main.tf"
    assert found.finding.core.parts[0] == "module.net.aws_security_group_rule.ssh"


def test_closure_a_module_that_no_longer_parses_closes_nothing(assay_terraform: Assay) -> None:
    files = {"a.tf": DEFECTS[0], "b.tf": ""}
    verdict = assay_terraform(files, {**files, "b.tf": "}"})
    assert not [j for j in verdict.findings if j.state is State.FIXED]
    assert [j for j in verdict.findings if j.finding.core.kind is Kind.UNCHECKED]
