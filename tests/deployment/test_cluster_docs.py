"""The how-tos of clusters: options are those of the code, terms are read, the roles allow just what is called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from botocore.session import get_session
from tests.deployment.kube_schema import OPERATIONS, wrong_object

from assaymark.deployment.drivers.aws_asg import settings as aws
from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.drivers.kubernetes import settings as kubernetes
from assaymark.deployment.phoenix import terms

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / "how-to" / f"phoenix-{name}.md").read_text("utf-8") for name in ("kubernetes", "aws")}
SOURCES = ROOT / "src" / "assaymark" / "deployment" / "drivers" / "aws_asg"


def block(page: str, info: str) -> str:
    found = re.search(rf"^```{re.escape(info)}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("page", "options"), [("kubernetes", kubernetes._Options), ("aws", aws.Settings)])
def test_each_option_has_a_row_with_its_default(page: str, options: type[msgspec.Struct]) -> None:
    table = PAGES[page].split("\n## Options\n", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ?(.*?) ?\|$", table, re.MULTILINE))
    assert sorted(rows) == sorted(options.__struct_fields__)
    for field in msgspec.structs.fields(options):
        if isinstance(field.default, int | float) or field.name in {"strategy", "owners", "parameters"}:
            assert rows[field.name].strip("`") == f"{field.default}".lower(), field.name


@pytest.mark.parametrize(("page", "read"), [("kubernetes", kubernetes.read), ("aws", aws.read)])
def test_the_terms_are_read(page: str, read: Any, tmp_path: Path) -> None:
    found = terms.parsed(block(page, "toml file=assay-deploy.toml").encode(), tmp_path).of(Pair("production", "web"))
    read(found.options)


def test_the_role_fits_the_published_description_and_allows_each_call_that_is_made() -> None:
    documents = list(yaml.safe_load_all(block("kubernetes", "yaml file=role.yaml")))
    kinds = {"ServiceAccount": "core.v1", "Role": "rbac.v1", "RoleBinding": "rbac.v1"}
    for each in documents:
        assert wrong_object(f"io.k8s.api.{kinds[each['kind']]}.{each['kind']}", each) == ""
    allowed = {
        (group, resource, verb)
        for rule in documents[1]["rules"] for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]
    }  # fmt: skip
    assert allowed == set(map(_verb, OPERATIONS))


def _verb(each: Any) -> tuple[str, str, str]:
    words = each.pattern.split("/")
    group = "" if words[1] == "api" else words[2]
    place = words[words.index("namespaces") + 2 :]
    verb = {"GET": "get" if len(place) > 1 else "list", "POST": "create"}.get(each.method, each.method.lower())
    return group, place[0], verb


def test_the_policy_allows_each_call_that_is_made_and_no_other() -> None:
    policy = json.loads(block("aws", "json file=policy.json"))
    allowed = {
        action for each in policy["Statement"] for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    called = set(re.findall(r'"(autoscaling|ec2|ssm|elbv2)",\s*"(\w+)"', "".join(path.read_text("utf-8") for path in SOURCES.glob("*.py"))))
    names = {"elbv2": "elasticloadbalancing"}
    wanted = {f"{names.get(service, service)}:{_operation(service, method)}" for service, method in called}
    assert len(wanted) > 15
    assert allowed - wanted == {"ec2:RunInstances"}  # asked of whoever changes what a group launches
    assert wanted <= allowed


def _operation(service: str, method: str) -> str:
    names: list[str] = get_session().get_service_model(service).operation_names
    return next(name for name in names if re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() == method)
