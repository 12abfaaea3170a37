"""Single services whose rules no table can say."""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.infrastructure.iac.resources import Resource
from assaymark.checks.infrastructure.iac.values import Encoded, Value, decoded, truth
from assaymark.checks.infrastructure.iac.world import Hit, Rule, World, missing

ADVICE = {
    "lb-http": "Listen with HTTPS, and let port 80 only redirect.",
    "elb-http": "Listen with `https` or `ssl` and a certificate.",
    "task-privileged": "Take `privileged` out of the container's definition.",
    "emr-unprotected": "Switch on encryption at rest, in transit and on local disks in the configuration.",
    "cloudfront-no-log": "Add a block `logging_config`, or an `aws_cloudwatch_log_delivery_source`.",
    "google-account-key": "Let programs act as the account without a key (attached account, workload identity).",
}


def listeners(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_lb_listener", "aws_alb_listener"):
        view = resource.view
        protocol = view.get("protocol")
        plain = protocol == "HTTP" or (not view.attribute("protocol") and view.get("port") in (80, "80"))
        if plain and not _redirects(resource):
            yield Hit("lb-http", resource, "protocol", resource.find("protocol")[0], "HTTP without redirect")


def _redirects(resource: Resource) -> bool:
    places = resource.find("default_action.redirect.protocol")
    return any(place.value in ("HTTPS", "#{protocol}") or (not place.is_missing and type(place.value) is not str) for place in places)


def classic_listeners(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_elb"):
        for place in resource.find("listener.lb_protocol"):
            if type(place.value) is str and place.value.lower() in {"http", "tcp"}:
                yield Hit("elb-http", resource, "listener.lb_protocol", place)


def containers(world: World) -> Iterator[Hit]:
    for kind, attribute in (("aws_ecs_task_definition", "container_definitions"), ("aws_batch_job_definition", "container_properties")):
        for resource in world.resources(kind):
            document = decoded(resource.view.get(attribute))
            rows = document if type(document) is list else [document]
            if any(type(row) is dict and truth(row.get("privileged")) for row in rows):
                yield Hit("task-privileged", resource, attribute, resource.find(attribute)[0], "`privileged` is true")


_EMR = ("EnableAtRestEncryption", "EnableInTransitEncryption")


def emr(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_emr_security_configuration"):
        given = resource.view.get("configuration")
        document: Value = given.value if type(given) is Encoded else decoded(given)
        settings = document.get("EncryptionConfiguration") if type(document) is dict else None
        if type(settings) is not dict:
            continue
        off = [name for name in _EMR if truth(settings.get(name)) is not True]
        rest = settings.get("AtRestEncryptionConfiguration")
        if not off and type(rest) is dict and "LocalDiskEncryptionConfiguration" not in rest:
            off = ["LocalDiskEncryptionConfiguration"]
        for name in off:
            yield Hit("emr-unprotected", resource, f"configuration.{name}", resource.find("configuration")[0], name)


def distributions(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_cloudfront_distribution"):
        delivered = any(
            resource.address in each.view.refs("resource_arn") for each in world.tree.resources("aws_cloudwatch_log_delivery_source")
        )
        if not delivered and not resource.view.blocks("logging_config"):
            yield Hit("cloudfront-no-log", resource, "logging_config", missing(resource.view))


def account_keys(world: World) -> Iterator[Hit]:
    for resource in world.resources("google_service_account_key"):
        yield Hit("google-account-key", resource, "", missing(resource.view), "`google_service_account_key`")


RULES: tuple[Rule, ...] = (distributions, account_keys, listeners, classic_listeners, containers, emr)
