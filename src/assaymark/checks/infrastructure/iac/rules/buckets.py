"""Buckets, whose settings have moved into resources of their own: what belongs to a bucket is found by reference or name."""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.infrastructure.iac.resources import Resource
from assaymark.checks.infrastructure.iac.values import MISSING, Unknown, truth
from assaymark.checks.infrastructure.iac.world import Hit, Rule, World, missing

ADVICE = {
    "s3-acl-public": 'Set `acl = "private"`; for a web site put a distribution before the bucket.',
    "s3-acl-authenticated": 'Set `acl = "private"`, and name accounts in a policy.',
    "s3-public-access-unblocked": "Add an `aws_s3_bucket_public_access_block` with all four settings true.",
    "s3-no-customer-key": "Add an `aws_s3_bucket_server_side_encryption_configuration` with `aws:kms` and a key.",
    "s3-no-versioning": "Add an `aws_s3_bucket_versioning` with the status `Enabled`.",
    "s3-no-log": "Add an `aws_s3_bucket_logging`.",
}
_PUBLIC = ("public-read", "public-read-write", "website")
_ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
_ALL_CUSTOMERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


def _belongs(world: World, kind: str, bucket: Resource) -> list[Resource]:
    return world.tree.belonging(kind, "bucket", bucket, "bucket")


def _hidden(world: World, resource: Resource) -> bool:
    """Whether a public access block makes the bucket's access lists void."""
    names = {resource.address, *resource.view.refs("bucket")}
    return bool(names & world.tree.once("hidden buckets", lambda: _all_hidden(world)))


def _all_hidden(world: World) -> set[str]:
    blocks = world.tree.resources("aws_s3_bucket_public_access_block")
    return {ref for each in blocks if truth(each.view.get("ignore_public_acls")) for ref in each.view.refs("bucket")}


def lists(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_s3_bucket", "aws_s3_bucket_acl"):
        acl = resource.view.get("acl")
        rule = "s3-acl-public" if acl in _PUBLIC else "s3-acl-authenticated" if acl == "authenticated-read" else ""
        if rule and not _hidden(world, resource):
            yield Hit(rule, resource, "acl", resource.find("acl")[0], f'`acl` is "{acl}"')
        for place in resource.find("access_control_policy.grant.grantee.uri") + resource.find("grant.uri"):
            rule = {_ALL_USERS: "s3-acl-public", _ALL_CUSTOMERS: "s3-acl-authenticated"}.get(
                place.value if type(place.value) is str else "", ""
            )
            if rule and not _hidden(world, resource):
                yield Hit(rule, resource, "grant", place)


def unblocked(world: World) -> Iterator[Hit]:
    whole = world.tree.resources("aws_s3_account_public_access_block")
    for bucket in world.resources("aws_s3_bucket"):
        if (
            not whole
            and not _belongs(world, "aws_s3_bucket_public_access_block", bucket)
            and not _loose(world, "aws_s3_bucket_public_access_block")
        ):
            yield Hit(
                "s3-public-access-unblocked",
                bucket,
                "aws_s3_bucket_public_access_block",
                missing(bucket.view),
                "no `aws_s3_bucket_public_access_block` names it",
            )


def _loose(world: World, kind: str) -> bool:
    """Whether a resource of the kind belongs to a bucket that can't be told: then it may be any."""
    return world.tree.vague(kind, "bucket")


def _receives_logs(world: World, bucket: Resource) -> bool:
    """Whether a bucket holds access logs: it need not log itself, and the service that writes there can't use a key of yours."""
    lists_ = [bucket, *_belongs(world, "aws_s3_bucket_acl", bucket)]
    if any(each.view.get("acl") == "log-delivery-write" for each in lists_):
        return True
    if world.tree.refers("aws_s3_bucket_logging", "target_bucket", bucket.address):
        return True
    return bucket.address in world.tree.once("log targets", lambda: _log_targets(world))


def _log_targets(world: World) -> set[str]:
    """Buckets that others name in a block of their own."""
    inner = (view for each in world.tree.resources("aws_s3_bucket") for view in each.view.blocks("logging"))
    return {ref for view in inner for ref in view.refs("target_bucket")}


def encryption(world: World) -> Iterator[Hit]:
    kind = "aws_s3_bucket_server_side_encryption_configuration"
    path = "rule.apply_server_side_encryption_by_default.sse_algorithm"
    for bucket in world.resources("aws_s3_bucket"):
        places = bucket.find(f"server_side_encryption_configuration.{path}")
        places += [place for each in _belongs(world, kind, bucket) for place in each.find(path)]
        values = [place.value for place in places]
        sure = any(value in ("aws:kms", "aws:kms:dsse") or type(value) is Unknown for value in values)
        if not sure and not _loose(world, kind) and not _receives_logs(world, bucket):
            yield Hit("s3-no-customer-key", bucket, "server_side_encryption_configuration", missing(bucket.view), "no `aws:kms`")


def versions(world: World) -> Iterator[Hit]:
    kind = "aws_s3_bucket_versioning"
    for bucket in world.resources("aws_s3_bucket"):
        values = [place.value for place in bucket.find("versioning.enabled")]
        values += [place.value for each in _belongs(world, kind, bucket) for place in each.find("versioning_configuration.status")]
        sure = any(truth(value) or value == "Enabled" or type(value) is Unknown for value in values)
        if not sure and not _loose(world, kind):
            yield Hit("s3-no-versioning", bucket, "versioning", missing(bucket.view), "versions are not kept")


def access_logs(world: World) -> Iterator[Hit]:
    kind = "aws_s3_bucket_logging"
    for bucket in world.resources("aws_s3_bucket"):
        own = bucket.view.blocks("logging") or bucket.view.get("logging") is not MISSING
        if not own and not _receives_logs(world, bucket) and not _belongs(world, kind, bucket) and not _loose(world, kind):
            yield Hit("s3-no-log", bucket, "logging", missing(bucket.view), "no `aws_s3_bucket_logging` names it")


RULES: tuple[Rule, ...] = (lists, unblocked, encryption, versions, access_logs)
