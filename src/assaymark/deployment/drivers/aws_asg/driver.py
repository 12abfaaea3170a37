"""The driver `aws-asg`: an Auto Scaling group whose machines are made from a machine image that a bake sealed.

Guarantees
* what is launched is ``<name or ami-…>@sha256:…``: the digest is that of the tree which was endorsed, and an image is used only when its
  seal says that it holds this tree (`seal`, `images`);
* each generation has a numbered version of the launch template, found again by its description; ``$Latest`` and ``$Default`` are followed
  nowhere, since what they mean changes behind one's back;
* a launch returns when every machine of the group runs that image, as the cloud lists them, and is in service;
* configuration is in no launch template (`parameters`).

Not here: shares of the traffic, what happens inside a machine (`observe` says so), groups with a mixed instances policy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from assaymark.deployment.drivers.aws_asg import cloud as clouds
from assaymark.deployment.drivers.aws_asg import images, parameters, refresh, rolling, seal, settings
from assaymark.deployment.drivers.aws_asg.burning import burn, note
from assaymark.deployment.drivers.aws_asg.cloud import Cloud
from assaymark.deployment.drivers.aws_asg.group import Group, Machine, Version, burnt_numbers, group_of, machines_of, versions_of
from assaymark.deployment.drivers.aws_asg.observing import observed
from assaymark.deployment.drivers.aws_asg.settings import Settings, Strategy
from assaymark.deployment.drivers.aws_asg.template import prepared, rehearsed, version_for
from assaymark.deployment.drivers.driver import (
    Capabilities,
    DriverFailed,
    Health,
    Instance,
    Launch,
    Observation,
    Pair,
    Share,
    instance_id,
)
from assaymark.deployment.drivers.numbering import Found, numbers, parsed
from assaymark.endorsement.keys import PublicKey

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def opened(options: Mapping[str, str]) -> AutoScalingDriver:
    """The driver of a group.

    Raises:
        UsageError: when an option or a key makes no sense.
        EngineMissing: when the cloud's library is not installed.
    """
    found = settings.read(options)
    return AutoScalingDriver(found, seal.keys_of(found.key_files), clouds.opened(found))


class AutoScalingDriver:
    """Of one pair's group."""

    def __init__(
        self, found: Settings, keys: Sequence[PublicKey], cloud: Cloud, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        self._settings, self._keys, self._cloud, self._clock, self._sleep = found, keys, cloud, clock, sleep
        self._digests: dict[str, str] = {}

    def capabilities(self) -> Capabilities:
        return Capabilities("aws-asg", divides=False, rolls=True, observes=("digest", "configuration", "changes", "mounts", "age"))

    def list(self, pair: Pair) -> Sequence[Instance]:
        return [self._instance(name, each) for name, each in self._machines(pair).items()]

    def launch(self, asked: Launch) -> Sequence[Instance]:
        group = self._group()
        image = images.image_for(self._cloud, asked, self._keys, self._settings, self._used(group, asked))
        version = version_for(self._cloud, group, asked, image, self._settings)
        self._roll(group, version, asked)
        there = [(name, each) for name, each in self._machines(asked.pair).items() if each.generation == asked.generation]
        instances = [self._instance(name, each) for name, each in there]
        wrong = next((each for each in instances if each.digest != asked.digest), None)
        if wrong is not None:
            raise DriverFailed(f"{wrong.id} runs {wrong.digest or 'an image without a seal'}, not {asked.digest}")
        for name, each in there:
            if not each.number:
                note(self._cloud, each, (parsed(asked.pair, name) or (0, 0))[1])
        self._forget(asked)
        return instances

    def rehearsed(self, asked: Launch) -> Sequence[str]:
        """What a launch would do; the image is looked at, and the cloud is asked whether a version could be made (``DryRun``)."""
        group = self._group()
        image = images.image_for(self._cloud, asked, self._keys, self._settings, self._used(group, asked))
        return rehearsed(self._cloud, group, asked, image, self._settings)

    def probe(self, pair: Pair, instance: str) -> Health:
        """As the group says, and where it has target groups as these say: their checks are asked of the machine itself."""
        found = self._machines(pair).get(instance)
        if found is None:
            return Health(ok=False, text="it is gone")
        if not found.member.serves:
            return Health(ok=False, text=f"{found.member.lifecycle}, {'healthy' if found.member.healthy else 'unhealthy'}")
        for each in self._group().targets:
            said = self._cloud.ask("elbv2", "describe_target_health", TargetGroupArn=each, Targets=[{"Id": found.member.id}])
            states = [entry["TargetHealth"] for entry in said.get("TargetHealthDescriptions") or ()]
            bad = next((state for state in states if state.get("State") != "healthy"), None)
            if bad is not None or not states:
                return Health(
                    ok=False, text=f"its target is {(bad or {}).get('State', 'not there')} {(bad or {}).get('Description', '')}".strip()
                )
        return Health(ok=True, text="in service")

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        """A group gives its traffic to what is in it: only that is looked at."""
        if len(shares) > 1:
            raise DriverFailed("a group does not divide its traffic", advice="take `canary` out of the terms")
        if not shares:
            self._cloud.ask(
                "autoscaling", "update_auto_scaling_group", AutoScalingGroupName=self._settings.group, MinSize=0, DesiredCapacity=0
            )  # fmt: skip
            return
        machines = self._machines(pair).values()
        other = next((each for each in machines if each.generation != shares[0].generation and not each.member.going), None)
        if other is not None or not any(each.member.serves for each in machines):
            what = "no machine is in service" if other is None else f"{other.member.id} is of generation {other.generation}"
            raise DriverFailed(f"generation {shares[0].generation} of {pair} does not serve alone", why=what)

    def serving(self, pair: Pair) -> Sequence[Share]:
        serving = [each.generation for each in self._machines(pair).values() if each.member.serves]
        found: list[Share] = []
        for generation in sorted(set(serving)):
            last = generation == max(serving)
            percent = 100 - sum(each.percent for each in found) if last else serving.count(generation) * 100 // len(serving)
            found.append(Share(generation, percent))
        return found

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:  # noqa: ARG002 - its load balancers say how long
        """A machine that leaves its group is taken out of its load balancers by the cloud, which waits as they say; here it is looked."""
        return instance not in self._machines(pair)

    def burn(self, pair: Pair, instance: str) -> None:
        found = self._machines(pair).get(instance)
        if found is None:
            return
        _, number = parsed(pair, instance) or (0, 0)
        of_it = {name: each for name, each in self._machines(pair).items() if each.generation == found.generation}
        for name, each in of_it.items():
            if number and not each.number:
                note(self._cloud, each, (parsed(pair, name) or (0, 0))[1])
        group = self._group()
        told = versions_of(self._cloud, group, pair).get(int(group.version) if group.version.isdecimal() else 0)
        current = told is not None and told.generation == found.generation
        burn(self._cloud, group, found, number if current else 0, self._waiting)

    def observe(self, pair: Pair, instance: str) -> Observation:
        found = self._machines(pair).get(instance)
        if found is None:
            raise DriverFailed(f"{instance} is not there")
        version = next(
            (each for each in versions_of(self._cloud, self._group(), pair).values() if each.generation == found.generation), None
        )
        described = images.described(self._cloud, found.ami)
        return observed(instance, found, version, described, self._digest(found.ami))

    # --- what is asked above ---

    def _used(self, group: Group, asked: Launch) -> str:
        """The image that the generation's version names already."""
        found = [each for each in versions_of(self._cloud, group, asked.pair).values() if each.generation == asked.generation]
        return found[0].ami if found else ""

    def _group(self) -> Group:
        return group_of(self._cloud, self._settings.group)

    def _versions(self, pair: Pair) -> Callable[[Group], dict[int, Version]]:
        return lambda group: versions_of(self._cloud, group, pair)

    def _machines(self, pair: Pair) -> dict[str, Machine]:
        """Id -> machine. What was there before the first generation is nobody's, until the group itself is of a generation."""
        group = self._group()
        versions = versions_of(self._cloud, group, pair)
        machines = machines_of(self._cloud, group, versions)
        ours = group.version.isdecimal() and int(group.version) in versions and not self._is_rolling(group)
        found: dict[str, Machine] = {}
        for generation in sorted({each.generation for each in machines} - {0}):
            of_it = [each for each in machines if each.generation == generation and not (each.member.going and group.desired)]
            given = numbers([Found(each.member.id, each.born, each.number) for each in of_it], burnt_numbers(group, generation))
            ordered = sorted(of_it, key=lambda each: given[each.member.id])
            found |= {instance_id(pair, generation, given[each.member.id]): each for each in ordered}
        return found | {each.member.id: each for each in machines if ours and not each.generation and not each.member.going}

    def _is_rolling(self, group: Group) -> bool:
        if self._settings.strategy is Strategy.REPLACE:
            return "assaymark:sizes" in group.tags
        return refresh.is_active(self._cloud, group.name)

    def _instance(self, name: str, found: Machine) -> Instance:
        runs = found.member.lifecycle not in {"Terminated", "Detached"} and not found.member.going
        return Instance(
            name, found.generation, self._digest(found.ami), found.configuration, found.born, found.address, running=runs
        )  # fmt: skip

    def _digest(self, ami: str) -> str:
        """Empty where no seal holds. Looked at once while this process runs: an image's snapshots do not change, its tags count no more."""
        if ami and ami not in self._digests:
            try:
                image = images.described(self._cloud, ami)
                self._digests[ami] = seal.digest_of(image, self._keys) if image is not None else ""
            except DriverFailed:
                return ""
        return self._digests.get(ami, "")

    def _roll(self, group: Group, version: Version, asked: Launch) -> None:
        versions = self._versions(asked.pair)
        if self._settings.strategy is Strategy.REPLACE:
            prepared(self._cloud, group, version.number)
            rolling.roll(self._cloud, group_of(self._cloud, group.name), asked, self._settings, versions, self._waiting)
            return
        group = self._sized(group, asked)
        if not self._is_done(group, version, asked, versions(group)):
            refresh.roll(self._cloud, group, version.number, asked, self._settings, self._waiting)
        self._waiting(f"generation {asked.generation} of {asked.pair} did not rise", lambda: self._left(version, asked))

    def _sized(self, group: Group, asked: Launch) -> Group:
        """So many are wanted; and the group is pinned to what it is now, so that a refresh can be taken back."""
        if refresh.is_active(self._cloud, group.name):
            return group
        pinned = None if group.version.isdecimal() else self._number(group)
        if pinned or (group.desired, group.least <= asked.count <= group.most) != (asked.count, True):
            more = {"LaunchTemplate": {"LaunchTemplateId": group.template, "Version": pinned}} if pinned else {}
            self._cloud.ask(
                "autoscaling", "update_auto_scaling_group", AutoScalingGroupName=group.name, DesiredCapacity=asked.count,
                MinSize=min(group.least, asked.count), MaxSize=max(group.most, asked.count), **more,
            )  # fmt: skip
            return self._group()
        return group

    def _number(self, group: Group) -> str:
        found = self._cloud.every(
            "ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=group.template, Versions=[group.version]
        )
        return str(found[0]["VersionNumber"])

    def _is_done(self, group: Group, version: Version, asked: Launch, versions: Mapping[int, Version]) -> bool:
        machines = machines_of(self._cloud, group, versions)
        same = group.version == str(version.number) and not refresh.is_active(self._cloud, group.name)
        return same and all(each.generation == asked.generation for each in machines)

    def _left(self, version: Version, asked: Launch) -> str:
        """Why the group is not yet as the refresh left it."""
        group = self._group()
        machines = [each for each in machines_of(self._cloud, group, self._versions(asked.pair)(group)) if not each.member.going]
        other = next((each for each in machines if each.generation != asked.generation), None)
        if other is not None:
            raise DriverFailed(f"{other.member.id} of {group.name} was left out", why=f"it is of generation {other.generation}")
        if group.version != str(version.number):
            raise DriverFailed(f"the group {group.name} is pinned to version {group.version}", why=f"not to {version.number}")
        serving = sum(each.member.serves for each in machines)
        return "" if serving >= asked.count else f"{serving} of {asked.count} are in service"

    def _forget(self, asked: Launch) -> None:
        """Parameters of generations before the last: the last one may be gone back to."""
        group = self._group()
        generations = sorted(each.generation for each in versions_of(self._cloud, group, asked.pair).values())
        position = generations.index(asked.generation) if asked.generation in generations else 0
        if not asked.again and position >= 2:
            parameters.forget(self._cloud, self._settings, asked.pair, generations[position - 2])

    def _waiting(self, what: str, look: Callable[[], str]) -> None:
        """Until `look` has nothing to complain of.

        Raises:
            DriverFailed: when the time is over.
        """
        ends = self._clock() + self._settings.rollout_seconds
        pause = 1.0
        while reason := look():
            if self._clock() >= ends:
                raise DriverFailed(what, why=f"after {self._settings.rollout_seconds:.0f} s: {reason}")
            self._sleep(pause)
            pause = min(pause * 1.3, 15.0)
