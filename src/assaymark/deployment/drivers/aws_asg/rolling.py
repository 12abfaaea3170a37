"""Carries out what `replace` decides, deed by deed, looking anew before each.

Guarantees: the sizes that the group had are written on it before they are changed, so that a killed deployer finds them again and restores
them; a machine is taken away with one fewer wanted in the same call.
"""

from __future__ import annotations

from collections.abc import Callable

from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.group import SIZES_TAG, Group, Version, group_of, machines_of
from assaymark.deployment.drivers.aws_asg.replace import Deed, Kind, One, Seen, following
from assaymark.deployment.drivers.aws_asg.settings import Settings
from assaymark.deployment.drivers.driver import Launch

Waiting = Callable[[str, Callable[[], str]], None]
Versions = Callable[[Group], dict[int, Version]]


def roll(cloud: Cloud, group: Group, asked: Launch, settings: Settings, versions: Versions, waiting: Waiting) -> None:  # noqa: PLR0913, PLR0917
    """All machines of the group are of the asked generation; the group is pinned to its version already.

    Raises:
        DriverFailed: when it is not done within its time.
    """
    healthy = min(asked.healthy or asked.count, asked.count)
    least, most = _room(cloud, group, asked.count + settings.surge, healthy)

    def look() -> str:
        now = group_of(cloud, group.name)
        machines = machines_of(cloud, now, versions(now))
        ones = [One(each.member.id, each.generation == asked.generation, each.member.serves, each.member.going) for each in machines]
        deed = following(Seen(now.desired, ones), asked.count, healthy, settings.surge)
        if deed.kind is Kind.DONE:
            return ""
        _do(cloud, group.name, deed)
        new = [each for each in ones if each.new and not each.going]
        return f"{len(new)} of {asked.count} are new, {sum(each.serves for each in new)} of them answer"

    waiting(f"generation {asked.generation} of {asked.pair} did not rise", look)
    cloud.ask(
        "autoscaling", "update_auto_scaling_group", AutoScalingGroupName=group.name, MinSize=min(least, asked.count),
        MaxSize=max(most, asked.count), DesiredCapacity=asked.count,
    )  # fmt: skip
    cloud.ask("autoscaling", "delete_tags", Tags=[{"ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": SIZES_TAG}])


def _room(cloud: Cloud, group: Group, most: int, least: int) -> tuple[int, int]:
    """Sizes that leave room; gives those of before."""
    said = group.tags.get(SIZES_TAG, "").split()
    before = (int(said[0]), int(said[1])) if len(said) == 2 and all(each.isdecimal() for each in said) else (group.least, group.most)
    tag = {
        "ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": SIZES_TAG, "Value": f"{before[0]} {before[1]}",
        "PropagateAtLaunch": False,
    }  # fmt: skip
    cloud.ask("autoscaling", "create_or_update_tags", Tags=[tag])
    cloud.ask(
        "autoscaling", "update_auto_scaling_group", AutoScalingGroupName=group.name, MinSize=min(group.least, least),
        MaxSize=max(group.most, most),
    )  # fmt: skip
    return before


def _do(cloud: Cloud, name: str, deed: Deed) -> None:
    if deed.kind is Kind.CAPACITY:
        cloud.ask("autoscaling", "set_desired_capacity", AutoScalingGroupName=name, DesiredCapacity=deed.count, HonorCooldown=False)
    elif deed.kind is Kind.TERMINATE:
        try:
            terminate(cloud, deed.machine, fewer=True)
        except Denied as error:
            if error.error_code != "ScalingActivityInProgress":  # it is looked at again
                raise


def terminate(cloud: Cloud, machine: str, *, fewer: bool) -> None:
    cloud.ask(
        "autoscaling", "terminate_instance_in_auto_scaling_group", InstanceId=machine, ShouldDecrementDesiredCapacity=fewer
    )  # fmt: skip
