"""A generation's configuration in Systems Manager's Parameter Store, where its machines read it with a role of their own.

Guarantees: secrets are encrypted (`SecureString`) and are in no launch template, tag or user data, which many may read; what a generation
was given is never written over: another value under its name is an error.

Names: ``<parameters>/<pair and generation>/variables/NAME``, ``…/secrets/NAME``, ``…/files/N`` with the path inside as its first line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.settings import Settings
from assaymark.deployment.drivers.driver import Configuration, DriverFailed, Pair
from assaymark.deployment.drivers.naming import label

_MOST = 4096


class Parameter(Struct, frozen=True):
    name: str
    value: str
    secret: bool

    def __repr__(self) -> str:
        return f"Parameter({self.name!r})"


def folder(settings: Settings, pair: Pair, generation: int) -> str:
    return f"{settings.parameters}/{label(pair, f'g{generation}')}"


def parameters(place: str, given: Configuration) -> list[Parameter]:
    """What is to be kept.

    Raises:
        DriverFailed: when something does not fit, or cannot be read.
    """
    found = list(_all(place, given))
    large = next((each.name for each in found if not 0 < len(each.value.encode()) <= _MOST), "")
    if large:
        raise DriverFailed(f"{large} does not fit into a parameter", why=f"it holds 1 to {_MOST} bytes", advice="let the machine fetch it")
    return found


def _all(place: str, given: Configuration) -> Iterator[Parameter]:
    for name, value in sorted(given.variables.items()):
        yield Parameter(f"{place}/variables/{name}", value, secret=False)
    for name, value in sorted(given.secrets.items()):
        yield Parameter(f"{place}/secrets/{name}", value, secret=True)
    for number, (inside, outside) in enumerate(sorted(given.files.items()), 1):
        try:
            text = Path(outside).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DriverFailed(f"{outside} cannot be given to a machine", why=str(error), advice="only text of 4 kB fits") from error
        yield Parameter(f"{place}/files/{number}", f"{inside}\n{text}", secret=True)


def keep(cloud: Cloud, settings: Settings, pair: Pair, generation: int, given: Configuration) -> None:
    """All of it is there, as given."""
    for each in parameters(folder(settings, pair, generation), given):
        kind = {"Type": "SecureString", **({"KeyId": settings.kms_key} if settings.kms_key else {})} if each.secret else {"Type": "String"}
        try:
            cloud.ask("ssm", "put_parameter", Name=each.name, Value=each.value, Overwrite=False, **kind)
        except Denied as error:
            if error.error_code != "ParameterAlreadyExists":
                raise
            there = cloud.ask("ssm", "get_parameter", Name=each.name, WithDecryption=True)["Parameter"]
            if there["Value"] != each.value:
                raise DriverFailed(
                    f"{each.name} holds something else than generation {generation} was to be given", advice="look at who wrote it"
                ) from error


def forget(cloud: Cloud, settings: Settings, pair: Pair, generation: int) -> None:
    """Of a generation that is gone."""
    place = folder(settings, pair, generation)
    found = cloud.every("ssm", "get_parameters_by_path", "Parameters", Path=place, Recursive=True, WithDecryption=False)
    names = [each["Name"] for each in found]
    for start in range(0, len(names), 10):
        cloud.ask("ssm", "delete_parameters", Names=names[start : start + 10])
