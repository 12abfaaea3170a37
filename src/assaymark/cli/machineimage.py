"""`assay machine-image`: what a bake says of a machine image, signed, because the cloud cannot say which tree it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.deployment.drivers.aws_asg.cloud import Cloud
    from assaymark.deployment.drivers.aws_asg.seal import MachineImage


@click.group("machine-image")
def command() -> None:
    """Seal machine images, and tell what a seal says."""


@command.command("seal")
@click.argument("ami")
@click.option("--digest", required=True, help="Of the tree that it holds: sha256:… of its manifest.")
@click.option("--region", required=True, help="Where it is.")
@click.option("--key", required=True, help="Where the key of the bake is: a file, or an address as pkcs11:…")
@click.option("--profile", default="", help="Of Amazon's settings.")
@click.option("--endpoint", default="", help="Address of a cloud that speaks the same API.")
@click.option("--dry-run", is_flag=True, help="Say what would be signed, and sign nothing.")
def seal(ami: str, digest: str, region: str, key: str, profile: str, endpoint: str, dry_run: bool) -> None:
    """Sign that AMI holds the tree of this digest, and write that on it as tags."""
    from assaymark.deployment.drivers.aws_asg import seal as seals
    from assaymark.endorsement.signers.opening import open_signer

    signer = open_signer(key if ":" in key.partition("/")[0] else f"file:{Path(key).absolute()}")
    cloud, image = _image(ami, region, profile, endpoint)
    tags = seals.sealed(image, digest, signer)
    words = ", ".join(f"{device} {snapshot}" for device, snapshot in sorted(image.snapshots.items()))
    said = f"{ami} of {image.owner} in {region} ({words}) holds {digest}"
    if dry_run:
        click.echo(f"{signer.public.id} would sign: {said}")
        return
    cloud.ask("ec2", "create_tags", Resources=[ami], Tags=[{"Key": name, "Value": value} for name, value in tags.items()])
    click.echo(f"{signer.public.id} signed: {said}")


@command.command("check")
@click.argument("ami")
@click.option("--region", required=True, help="Where it is.")
@click.option("--key", "keys", required=True, multiple=True, type=click.Path(), help="A public key to believe (PEM); may be repeated.")
@click.option("--profile", default="", help="Of Amazon's settings.")
@click.option("--endpoint", default="", help="Address of a cloud that speaks the same API.")
def check(ami: str, region: str, keys: tuple[str, ...], profile: str, endpoint: str) -> None:
    """Tell the digest of the tree that AMI holds, when one of the keys signed it. Whether that tree is approved `assay verify` says."""
    from assaymark.deployment.drivers.aws_asg import seal as seals

    believed = seals.keys_of(keys)
    _, image = _image(ami, region, profile, endpoint)
    click.echo(seals.digest_of(image, believed))


def _image(ami: str, region: str, profile: str, endpoint: str) -> tuple[Cloud, MachineImage]:
    from assaymark.deployment.drivers.aws_asg import cloud as clouds
    from assaymark.deployment.drivers.aws_asg import images, settings
    from assaymark.errors import SubjectNotFound

    given = {"group": "none", "keys": "none", "region": region, "profile": profile, "endpoint": endpoint}
    cloud = clouds.opened(settings.read(given))
    image = images.described(cloud, ami)
    if image is None:
        raise SubjectNotFound(f"there is no machine image {ami} in {region}")
    return cloud, image
