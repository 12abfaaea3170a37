"""Units of several folders: who tells what, instances, files of variables, Terraform's JSON form, and what can't be read."""

from __future__ import annotations

import json

import pytest
from tests.iac.conftest import Judge, Seen, named

from assaymark.checks.infrastructure.iac import terraform
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Unchecked

NET = """
variable "networks" {}
variable "public" { default = false }
resource "aws_security_group_rule" "ssh" {
  type        = "ingress"
  protocol    = "tcp"
  from_port   = 22
  to_port     = 22
  cidr_blocks = var.networks
}
resource "aws_db_instance" "db" {
  iam_database_authentication_enabled = true

  storage_encrypted       = true
  publicly_accessible     = var.public
  backup_retention_period = 7
  deletion_protection     = true
}
resource "aws_ebs_volume" "v" { size = 1 }
output "group" { value = aws_security_group_rule.ssh.id }
"""


def call(**arguments: str) -> str:
    rows = "\n".join(f"  {name} = {text}" for name, text in arguments.items())
    return f'module "net" {{\n  source = "../net"\n{rows}\n}}\n'


def test_what_a_call_makes_wrong_is_told_at_the_call_and_the_rest_in_the_module(seen: Seen) -> None:
    alone = seen({"main.tf": NET})
    assert named(alone) == [("ebs-unencrypted", "aws_ebs_volume.v")]
    good = seen({"main.tf": call(networks='["10.0.0.0/8"]'), "../net/main.tf": NET})
    assert good == []
    bad = seen({"main.tf": call(networks='["0.0.0.0/0"]', public="true"), "../net/main.tf": NET})
    assert named(bad) == [("ingress-ssh", "module.net.aws_security_group_rule.ssh"), ("rds-public", "module.net.aws_db_instance.db")]
    assert {(each.member, each.span.start_line if each.span else 0) for each in bad} == {("main.tf", 1)}
    assert [each.notes for each in bad] == [(("inside of the module", "main.tf:9"),), (("inside of the module", "main.tf:15"),)]


def test_a_module_that_calls_a_module_tells_only_what_its_own_call_adds(seen: Seen) -> None:
    app = 'variable "nets" {}\n' + call(networks="var.nets", public="true")
    inner = {"../net/main.tf": NET}
    assert named(seen({"main.tf": app, **inner})) == [("rds-public", "module.net.aws_db_instance.db")]
    root = 'module "app" {\n  source = "../app"\n  nets = ["::/0", "0.0.0.0/0"]\n}\n'
    found = named(seen({"main.tf": root, "../app/main.tf": app, **inner}))
    assert found == [("ingress-ssh", "module.app.module.net.aws_security_group_rule.ssh")]


def test_circles_of_modules_and_missing_ones_are_no_error(seen: Seen) -> None:
    assert seen({"main.tf": call(networks="[]"), "../net/main.tf": 'module "back" { source = "../live" }'}) == []
    assert seen({"main.tf": 'module "self" { source = "./" }\nresource "aws_ebs_volume" "v" { encrypted = true }'}) == []
    assert seen({"main.tf": 'module "x" { source = "hashicorp/consul/aws" }\nmodule "y" { source = "../../../../etc" }'}) == []


def test_outputs_carry_values_and_references(seen: Seen) -> None:
    bucket = (
        'resource "aws_s3_bucket" "b" { bucket = "b" }\noutput "id" { value = aws_s3_bucket.b.id }\noutput "open" { value = ["0.0.0.0/0"] }'
    )
    root = """
module "store" { source = "../store" }
resource "aws_s3_bucket_versioning" "v" {
  bucket = module.store.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_security_group_rule" "r" {
  type        = "ingress"
  from_port   = 22
  to_port     = 22
  protocol    = "tcp"
  cidr_blocks = module.store.open
}
"""
    assert named(seen({"main.tf": root, "../store/main.tf": bucket})) == [("ingress-ssh", "aws_security_group_rule.r")]


def test_instances_are_one_finding_and_none_where_there_is_none(seen: Seen) -> None:
    disk = 'resource "aws_ebs_volume" "v" {{\n  {}\n  encrypted = {}\n}}\n'
    assert len(seen(disk.format("count = 3", "false"))) == 1
    assert seen(disk.format("count = 0", "false")) == []
    assert seen(disk.format("count = var.on ? 1 : 0", "true")) == []
    assert len(seen('variable "on" {}\n' + disk.format("count = var.on ? 1 : 0", "false"))) == 1
    assert len(seen(disk.format("for_each = { a = true, b = false }", "each.value"))) == 1
    assert seen(disk.format("for_each = { a = true }", "each.value")) == []
    assert named(seen(disk.format('for_each = toset(["x"])', "false"))) == [("ebs-unencrypted", "aws_ebs_volume.v")]


def test_instances_of_a_call_are_all_looked_at_and_told_once(seen: Seen) -> None:
    each = '{ a = ["10.0.0.0/8"], b = ["0.0.0.0/0"], c = ["::/0"] }'
    found = seen({"main.tf": call(for_each=each, networks="each.value"), "../net/main.tf": NET})
    assert named(found) == [("ingress-ssh", "module.net.aws_security_group_rule.ssh")]
    assert seen({"main.tf": call(count="0", networks='["0.0.0.0/0"]'), "../net/main.tf": NET}) == []
    shared = 'variable "on" {}\noutput "on" { value = var.on }\noutput "one" { value = true }'
    root = """
module "m" {
  for_each = { a = true, b = false }
  source   = "../m"
  on       = each.value
}
resource "aws_ebs_volume" "differs" { encrypted = module.m["a"].on }
resource "aws_ebs_volume" "same" { encrypted = !module.m["b"].one }
"""
    assert named(seen({"main.tf": root, "../m/main.tf": shared})) == [("ebs-unencrypted", "aws_ebs_volume.same")]


def test_calls_that_multiply_end_with_a_reason(judge: Judge) -> None:
    def calls(level: int) -> str:
        return "".join(f'module "m{n}" {{\n  source = "../l{level}"\n  count  = 16\n}}\n' for n in range(4))

    found = judge({"main.tf": calls(1), **{f"../l{level}/main.tf": calls(level + 1) for level in range(1, 9)}})
    assert isinstance(found, Unchecked)
    assert found.reason_class == "complexity"


def test_files_of_variables(seen: Seen) -> None:
    main = 'variable "on" { default = true }\nresource "aws_ebs_volume" "v" { encrypted = var.on }\n'
    assert seen({"main.tf": main, "terraform.tfvars": "on = true\n"}) == []
    assert len(seen({"main.tf": main, "x.auto.tfvars": "on = false\n"})) == 1
    assert len(seen({"main.tf": main, "terraform.tfvars.json": '{"on": false}'})) == 1
    (only,) = seen({"main.tf": main, "test.tfvars": "on = false\n", "live.tfvars": "on = true\n"})
    assert only.notes == (("with variables of", "test.tfvars"),)


def test_override_files_replace_attributes(seen: Seen) -> None:
    main = 'resource "aws_ebs_volume" "v" { encrypted = false }'
    assert seen({"main.tf": main, "v_override.tf": 'resource "aws_ebs_volume" "v" { encrypted = true }'}) == []


def test_json_form(seen: Seen) -> None:
    tree = {
        "variable": {"size": {"default": 3}},
        "resource": {
            "aws_ebs_volume": {"v": {"size": "${var.size}", "encrypted": False}},
            "aws_security_group": {"g": {"ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"]}]}},
        },
    }
    found = seen({"main.tf.json": json.dumps(tree, indent=2)})
    assert named(found) == [("ebs-unencrypted", "aws_ebs_volume.v"), ("ingress-ssh", "aws_security_group.g")]
    assert all(each.span and each.span.start_line > 1 for each in found)


def test_comments_of_other_tools_count_by_alias_and_reach(seen: Seen) -> None:
    text = """
# trivy:ignore:AVD-AWS-0026
resource "aws_ebs_volume" "a" { size = 1 }
resource "aws_ebs_volume" "b" {
  # checkov:skip=CKV_AWS_3:throw-away
  size = 1
}
# trivy:ignore:AVD-AWS-9999
resource "aws_ebs_volume" "c" { size = 1 }
# kics-scan ignore-block
resource "aws_ebs_volume" "d" { size = 1 }
"""
    muted = {named([each])[0][1]: each.suppression is not None for each in seen(text)}
    assert muted == {"aws_ebs_volume.a": True, "aws_ebs_volume.b": True, "aws_ebs_volume.c": False, "aws_ebs_volume.d": True}


@pytest.mark.parametrize(
    ("files", "reason", "line"),
    [
        ({"main.tf": "resource {\n\n  x = = 1\n}\n"}, "syntax", 3),
        ({"main.tf": b'x = "\xff"\n'}, "encoding", 1),
        ({"main.tf.json": '{\n  "a": ,\n}'}, "syntax", 2),
        (
            {"main.tf": "locals {\n  a = " + "[" * 500 + "]" * 500 + '\n}\nresource "aws_ebs_volume" "v" { encrypted = local.a }'},
            "nesting",
            2,
        ),
        ({"main.tf": "# " + "x" * (1 << 21)}, "size", 0),
        ({"a.tf": "", "b.tf": "}"}, "syntax", 1),
    ],
)
def test_what_cannot_be_read_is_unchecked_with_file_and_line(judge: Judge, files: dict[str, str | bytes], reason: str, line: int) -> None:
    found = judge(files)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)
    assert found.reason[0] != " "


def test_a_called_module_that_cannot_be_read_leaves_its_caller_checked(seen: Seen) -> None:
    assert named(seen({"main.tf": call(networks="[]") + 'resource "aws_ebs_volume" "v" {}', "../net/main.tf": "}{"})) == [
        ("ebs-unencrypted", "aws_ebs_volume.v")
    ]


def test_values_that_are_not_known_are_counted(judge: Judge) -> None:
    found = judge('variable "x" {}\nresource "aws_ebs_volume" "v" { encrypted = var.x }')
    assert found == Checked(undecided=1)


def test_names_and_links() -> None:
    check = terraform.make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
    for name in ("main.tf", "a/b.tf.json", "x.tfvars", "y.auto.tfvars.json", "z.tofu"):
        assert check.select(name) == "terraform"
    for name in ("a.tfstate", "x.json", "a/.terraform/modules/x/main.tf", ".terraform.lock.hcl", "main.tf.bak"):
        assert check.select(name) is None
    text = b"""module "a" {
  source = "../a"
}
module "b" { source="./b/c" }
module "c" { source = "git::https://x/y" }
{"module": {"d": {"source": "./d"}}}"""
    assert sorted(check.links(text)) == ["../a", "./b/c", "./d"]


def test_a_string_in_a_file_with_other_line_ends_has_its_place(seen: Seen) -> None:
    (found,) = seen({"main.tf": '\ufeff# é\r\nresource "aws_ebs_volume" "v" {\r\n  /* é */ encrypted = false\r\n}\r\n'})
    assert found.span
    assert (found.span.start_line, found.span.start_column, found.span.end_column) == (3, 11, 28)
