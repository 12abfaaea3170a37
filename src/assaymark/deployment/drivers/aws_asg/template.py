"""Numbered versions of a group's launch template, one per generation.

Guarantees: a generation has one version, however often it is asked for (it is looked for by its description, and made with a token that
the cloud knows again); a version is made from the one that the group is pinned to, and only image and tags of its machines are other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from assaymark.deployment.drivers.aws_asg import parameters, refresh
from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.group import (
    CONFIGURATION_TAG,
    GENERATION_TAG,
    PAIR_TAG,
    PARAMETERS_TAG,
    Group,
    Version,
    description,
    versions_of,
)
from assaymark.deployment.drivers.aws_asg.seal import DIGEST_TAG, MachineImage
from assaymark.deployment.drivers.aws_asg.settings import Settings, Strategy
from assaymark.deployment.drivers.driver import DriverFailed, Launch


def version_for(cloud: Cloud, group: Group, asked: Launch, image: MachineImage, settings: Settings) -> Version:
    """The generation's version; made, with its configuration, when there is none.

    Raises:
        DriverFailed: when there is another under its name, or an old generation that is to run again has none.
    """
    found = [each for each in versions_of(cloud, group, asked.pair).values() if each.generation == asked.generation]
    if found:
        version = min(found, key=lambda each: each.number)
        if (version.digest, version.configuration, version.ami) != (asked.digest, asked.configuration.digest, image.ami):
            raise DriverFailed(
                f"version {version.number} of {group.template} is another generation {asked.generation}",
                why=f"{version.ami} {version.digest}, configuration {version.configuration}",
            )
        return version
    if asked.again:
        raise DriverFailed(f"generation {asked.generation} cannot run again", why="its version of the launch template is gone")
    parameters.keep(cloud, settings, asked.pair, asked.generation, asked.configuration)
    made = cloud.ask("ec2", "create_launch_template_version", **_request(cloud, group, asked, image, settings))["LaunchTemplateVersion"]
    number = int(made["VersionNumber"])
    return Version(number, asked.generation, asked.digest, asked.configuration.digest, image.ami, made.get("LaunchTemplateData") or {})


def prepared(cloud: Cloud, group: Group, number: int) -> None:
    """The group is pinned to the version: what it makes from now on is made from it."""
    if group.version != str(number):
        cloud.ask(
            "autoscaling", "update_auto_scaling_group", AutoScalingGroupName=group.name,
            LaunchTemplate={"LaunchTemplateId": group.template, "Version": str(number)},
        )  # fmt: skip


def rehearsed(cloud: Cloud, group: Group, asked: Launch, image: MachineImage, settings: Settings) -> list[str]:
    """What would be asked of the cloud, in order."""
    given = asked.configuration
    there = [each for each in versions_of(cloud, group, asked.pair).values() if each.generation == asked.generation]
    steps = []
    if not there:
        place = parameters.folder(settings, asked.pair, asked.generation)
        kept = parameters.parameters(place, given)
        if kept:
            secret = sum(each.secret for each in kept)
            steps.append(f"PutParameter {place}: {len(kept) - secret} plain, {secret} encrypted")
        request = _request(cloud, group, asked, image, settings)
        _asked_dry(cloud, request)
        steps.append(f"CreateLaunchTemplateVersion {group.template} from version {request['SourceVersion']}: {image.ami}, "
                     f"{request['VersionDescription']}")  # fmt: skip
    number = there[0].number if there else "N"
    healthy = min(asked.healthy or asked.count, asked.count)
    if settings.strategy is Strategy.REFRESH:
        words = ", ".join(f"{name} {value}" for name, value in sorted(refresh.preferences(asked, settings).items()))
        steps.append(f"StartInstanceRefresh {group.name} to version {number}: {words}")
        steps.append(f"DescribeInstanceRefreshes {group.name} until it is successful, for {settings.rollout_seconds:.0f} s at most")
    else:
        steps.append(f"UpdateAutoScalingGroup {group.name}: version {number}, room for {asked.count + settings.surge} machines")
        steps.append(f"SetDesiredCapacity {asked.count + settings.surge}, TerminateInstanceInAutoScalingGroup for each of "
                     f"{len(group.members)} old ones while {healthy} answer")  # fmt: skip
    steps.append(f"DescribeInstances: each of {asked.count} must run {image.ami}, which holds {asked.digest}")
    return steps


def _asked_dry(cloud: Cloud, request: Mapping[str, Any]) -> None:
    """The cloud says by an error that it would have done it."""
    try:
        cloud.ask("ec2", "create_launch_template_version", **request, DryRun=True)
    except Denied as error:
        if error.error_code != "DryRunOperation":
            raise


def _request(cloud: Cloud, group: Group, asked: Launch, image: MachineImage, settings: Settings) -> dict[str, Any]:
    found = cloud.every(
        "ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=group.template, Versions=[group.version]
    )
    if len(found) != 1:
        raise DriverFailed(f"{group.template} has no version {group.version}")
    said = description(asked)
    # The same question twice is the same version; after a kill another one was perhaps looked at, so that is in it as well.
    token = hashlib.sha256(f"{group.template} {found[0]['VersionNumber']} {image.ami} {said}".encode()).hexdigest()
    return {
        "LaunchTemplateId": group.template,
        "SourceVersion": str(found[0]["VersionNumber"]),
        "VersionDescription": said,
        "ClientToken": token,
        "LaunchTemplateData": {
            "ImageId": image.ami,
            "TagSpecifications": _tags(found[0].get("LaunchTemplateData") or {}, asked, settings),
        },
    }


def _tags(before: Mapping[str, Any], asked: Launch, settings: Settings) -> list[dict[str, Any]]:
    """Of before, with ours on machines: given at all, they take the place of all that were there."""
    ours = {
        PAIR_TAG: str(asked.pair)[:256],
        GENERATION_TAG: str(asked.generation),
        DIGEST_TAG: asked.digest,
        CONFIGURATION_TAG: asked.configuration.digest,
        PARAMETERS_TAG: parameters.folder(settings, asked.pair, asked.generation)[:256],
    }
    given = [dict(each) for each in before.get("TagSpecifications") or ()]
    kept = [each for each in given if each.get("ResourceType") != "instance"]
    theirs = [tag for each in given if each.get("ResourceType") == "instance" for tag in each.get("Tags") or () if tag["Key"] not in ours]
    return [*kept, {"ResourceType": "instance", "Tags": [*theirs, *({"Key": key, "Value": value} for key, value in ours.items())]}]
