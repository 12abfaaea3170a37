"""Instance Refresh: the cloud replaces the machines of a group, and takes it back by itself when that fails.

Guarantees
* a refresh that goes to the wanted version already is watched and not begun anew; one that goes elsewhere is taken back when the group
  still is what it was before it, or else cancelled, and only then another begins;
* the group is pinned to a numbered version first: the cloud takes back nothing that began at ``$Latest`` or ``$Default``;
* a finished refresh is believed only when no machine of another version is left, which the driver looks at afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.group import Group
from assaymark.deployment.drivers.aws_asg.settings import Settings
from assaymark.deployment.drivers.driver import DriverFailed, Launch

Waiting = Callable[[str, Callable[[], str]], None]
_TURNING = frozenset({"Cancelling", "RollbackInProgress"})
_ACTIVE = frozenset({"Pending", "InProgress", "Baking", *_TURNING})


def preferences(asked: Launch, settings: Settings) -> dict[str, Any]:
    """How careful it is, as the cloud counts it: in parts of what the group wants."""
    healthy = min(asked.healthy or asked.count, asked.count)
    least = healthy * 100 // asked.count
    surge = -(-settings.surge * 100 // asked.count)
    found: dict[str, Any] = {
        "MinHealthyPercentage": least,
        "MaxHealthyPercentage": min(100 + surge, 200, least + 100),
        "SkipMatching": True,
        "AutoRollback": settings.rollback,
        "ScaleInProtectedInstances": "Refresh",
        "StandbyInstances": "Terminate",
    }
    if settings.warmup >= 0:
        found["InstanceWarmup"] = settings.warmup
    if settings.percentages:
        found |= {"CheckpointPercentages": settings.percentages, "CheckpointDelay": settings.checkpoint_seconds}
    return found


def roll(cloud: Cloud, group: Group, version: int, asked: Launch, settings: Settings, waiting: Waiting) -> None:  # noqa: PLR0913, PLR0917
    """All machines of the group are made from this version of its launch template, says the cloud.

    Raises:
        DriverFailed: when it failed, was taken back, or is not done within its time.
    """
    active = _latest(cloud, group.name)
    if active is not None and _version(active) == version and active["Status"] not in _TURNING:
        _watch(cloud, group.name, active["InstanceRefreshId"], waiting, {"Successful"})
        return
    if active is not None:
        back = active["Status"] == "RollbackInProgress" or _turn_back(cloud, group, version)
        ends = {"RollbackSuccessful"} if back and group.version == str(version) else _ENDS
        _watch(cloud, group.name, active["InstanceRefreshId"], waiting, ends)
        if back and group.version == str(version):
            return
    begun = cloud.ask(
        "autoscaling",
        "start_instance_refresh",
        AutoScalingGroupName=group.name,
        Strategy="Rolling",
        DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateId": group.template, "Version": str(version)}},
        Preferences=preferences(asked, settings),
    )
    _watch(cloud, group.name, begun["InstanceRefreshId"], waiting, {"Successful"})


_ENDS = {"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"}


def _latest(cloud: Cloud, name: str) -> dict[str, Any] | None:
    """The refresh that is under way."""
    found = cloud.ask("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name, MaxRecords=1)
    refreshes: list[dict[str, Any]] = found.get("InstanceRefreshes") or []
    return refreshes[0] if refreshes and refreshes[0].get("Status") in _ACTIVE else None


def is_active(cloud: Cloud, name: str) -> bool:
    return _latest(cloud, name) is not None


def _version(refresh: dict[str, Any]) -> int:
    said = str((refresh.get("DesiredConfiguration") or {}).get("LaunchTemplate", {}).get("Version", ""))
    return int(said) if said.isdecimal() else 0


def _turn_back(cloud: Cloud, group: Group, version: int) -> bool:
    """Whether what is under way is being taken back, which is wanted when the group is still pinned to the wanted version."""
    if group.version == str(version):
        try:
            cloud.ask("autoscaling", "rollback_instance_refresh", AutoScalingGroupName=group.name)
        except Denied as error:
            if error.error_code not in {"IrreversibleInstanceRefresh", "IrreversibleInstanceRefreshFault", "ActiveInstanceRefreshNotFound"}:
                raise
        else:
            return True
    try:
        cloud.ask("autoscaling", "cancel_instance_refresh", AutoScalingGroupName=group.name)
    except Denied as error:
        if error.error_code not in {"ActiveInstanceRefreshNotFound", "ActiveInstanceRefreshNotFoundFault"}:
            raise
    return False


def _watch(cloud: Cloud, name: str, refresh: str, waiting: Waiting, good: set[str]) -> None:
    def look() -> str:
        found = cloud.ask("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name, InstanceRefreshIds=[refresh])
        if not found.get("InstanceRefreshes"):
            raise DriverFailed(f"the refresh {refresh} of {name} is gone")
        (seen,) = found["InstanceRefreshes"]
        status, why = str(seen.get("Status")), str(seen.get("StatusReason") or "")
        if status in good:
            return ""
        if status not in _ACTIVE:
            raise DriverFailed(f"the refresh of {name} ended as {status}", why=why)
        return f"{status}, {seen.get('PercentageComplete', 0)} % {why}".strip()

    waiting(f"the refresh of {name} is not done", look)
