"""Plans and states in the shapes that ``terraform show -json`` gives them (1.11), small enough to be read."""

from __future__ import annotations

import json
from typing import Any

GROUP = {"ingress": [{"from_port": 443, "cidr_blocks": ["10.0.0.0/8"]}], "tags": {"team": "shop"}, "id": "sg-1"}
BUCKET = {"bucket": "shop", "acl": "private", "tags": None}
DATABASE = {"password": "old-word", "size": 5}


def resource(address: str, values: dict[str, Any], sensitive: Any = None, mode: str = "managed") -> dict[str, Any]:
    kind, _, name = address.rpartition("module.shop.")[2].partition(".")
    return {"address": address, "mode": mode, "type": kind, "name": name, "values": values, "sensitive_values": sensitive or {}}


def standing() -> list[dict[str, Any]]:
    return [
        resource("aws_security_group.web", json.loads(json.dumps(GROUP))),
        resource("module.shop.aws_s3_bucket.data", json.loads(json.dumps(BUCKET))),
        resource("aws_db_instance.db", json.loads(json.dumps(DATABASE)), {"password": True}),
        resource("data.aws_ami.base", {"id": "ami-1"}, mode="data"),
    ]


def values(resources: list[dict[str, Any]]) -> dict[str, Any]:
    inside = [each for each in resources if each["address"].startswith("module.")]
    outside = [each for each in resources if not each["address"].startswith("module.")]
    return {"root_module": {"resources": outside, "child_modules": [{"address": "module.shop", "resources": inside}]}}


def state(resources: list[dict[str, Any]]) -> bytes:
    return json.dumps({"format_version": "1.0", "terraform_version": "1.11.4", "values": values(resources)}).encode()


def plan(
    planned: list[dict[str, Any]], prior: list[dict[str, Any]] | None = None, unknown: dict[str, Any] | None = None,
    behind: list[dict[str, Any]] | None = None,
) -> bytes:  # fmt: skip
    changes = [{"address": address, "mode": "managed", "change": {"after_unknown": mark}} for address, mark in (unknown or {}).items()]
    document = {
        "format_version": "1.2", "terraform_version": "1.11.4", "planned_values": values(planned), "resource_changes": changes,
        "resource_drift": behind or [],
    }  # fmt: skip
    if prior is not None:
        document["prior_state"] = {"format_version": "1.0", "values": values(prior)}
    return json.dumps(document).encode()
