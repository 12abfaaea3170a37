"""A region of Amazon's cloud as far as moto has it: a sealed image, a launch template, a group; and keys that nobody else has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
import moto  # noqa: F401 - before the first client, or it would not be answered

from assaymark.deployment.drivers.aws_asg import seal, settings
from assaymark.deployment.drivers.aws_asg.cloud import Cloud
from assaymark.deployment.drivers.aws_asg.driver import AutoScalingDriver
from assaymark.deployment.drivers.driver import Configuration, Launch, Pair
from assaymark.endorsement.keys import KeySigner, new_key, private_key

REGION = "eu-central-1"
GROUP = "web"
PAIR = Pair("production", "web")
KEY: KeySigner = private_key(new_key()[0])
OTHER_KEY: KeySigner = private_key(new_key("ed25519")[0])
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")


BASE = "ami-12c6146b"
"""Somebody else's."""


@cache
def client_of(service: str) -> Any:
    """Made once: reading the description of a service takes longer than a test. moto answers it wherever it is active."""
    return boto3.client(service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing", aws_session_token="t")


class Time:
    """Passes when the driver waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Region:
    """Under moto."""

    client = staticmethod(client_of)

    def __init__(self, count: int = 2) -> None:
        client = client_of
        self.ec2, self.groups = client("ec2"), client("autoscaling")
        network = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]
        self.group_image = self.image()
        data = {"ImageId": self.group_image, "InstanceType": "t3.micro"}
        made = self.ec2.create_launch_template(LaunchTemplateName=GROUP, LaunchTemplateData=data)
        self.template: str = made["LaunchTemplate"]["LaunchTemplateId"]
        self.groups.create_auto_scaling_group(
            AutoScalingGroupName=GROUP, LaunchTemplate={"LaunchTemplateId": self.template, "Version": "$Latest"}, MinSize=1, MaxSize=count,
            DesiredCapacity=count, VPCZoneIdentifier=self.subnet,
        )  # fmt: skip

    def image(self, digest: str = "", signer: KeySigner = KEY) -> str:
        """A machine image; sealed when a digest is given."""
        machine = self.ec2.run_instances(ImageId=BASE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        made: str = self.ec2.create_image(InstanceId=machine, Name=f"image of {machine}")["ImageId"]
        self.ec2.terminate_instances(InstanceIds=[machine])
        if digest:
            self.seal(made, digest, signer)
        return made

    def described(self, ami: str) -> seal.MachineImage:
        return seal.image_of(self.ec2.describe_images(ImageIds=[ami])["Images"][0], REGION)

    def seal(self, ami: str, digest: str, signer: KeySigner = KEY) -> None:
        tags = seal.sealed(self.described(ami), digest, signer)
        self.ec2.create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def driver(self, **options: str) -> AutoScalingDriver:
        return driving(Cloud(self.client, REGION), **{"strategy": "replace", **options})

    def running(self) -> dict[str, str]:
        """Machine -> image, of the group."""
        group = self.group()
        ids = [each["InstanceId"] for each in group["Instances"]]
        found = self.ec2.describe_instances(InstanceIds=ids)["Reservations"] if ids else []
        return {each["InstanceId"]: each["ImageId"] for reservation in found for each in reservation["Instances"]}

    def group(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        return found


def driving(cloud: Cloud, **options: str) -> AutoScalingDriver:
    time = Time()
    found = settings.read({"group": GROUP, "region": REGION, "keys": "k.pem", "rollout_seconds": "600", **options})
    return AutoScalingDriver(found, [KEY.public], cloud, clock=time, sleep=time.sleep)


def asked(generation: int, ami: str, digest: str, count: int = 2, **more: Any) -> Launch:
    given = more.pop("configuration", Configuration(f"sha256:{generation:064x}"))
    return Launch(PAIR, generation, f"{ami}@{digest}", digest, count, given, **more)
