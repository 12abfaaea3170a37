"""Which distribution a package database is of: os-release(5), as advisories write it."""

from __future__ import annotations

import re

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.formats.parts import MAGIC, DamagedParts, split

_LINE = re.compile(r"^([A-Z_]+)=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"']*))\s*$", re.MULTILINE)
_KNOWN = {
    "debian": Ecosystem.DEBIAN,
    "ubuntu": Ecosystem.UBUNTU,
    "alpine": Ecosystem.ALPINE,
    "almalinux": Ecosystem.ALMALINUX,
    "rocky": Ecosystem.ROCKY,
    "rhel": Ecosystem.REDHAT,
}


class Release(Struct, frozen=True):
    """A distribution and its release."""

    ecosystem: Ecosystem
    version: str
    problem: str = ""
    """Why its packages cannot be judged; empty when they can."""


def parts_of(content: bytes) -> tuple[dict[str, bytes], bytes | None]:
    """Databases by their names, and the release that stands beside them; None where a database comes alone.

    Raises:
        Unreadable: when the parts are damaged.
    """
    if not content.startswith(MAGIC):
        return {"": content}, None
    try:
        parts = split(content)
    except DamagedParts as error:
        raise Unreadable("format", f"The joined package database is damaged; check the image again: {error}") from error
    release = parts.pop("os-release", b"")
    return {name: parts[name] for name in sorted(parts)}, release


def release_of(data: bytes | None, fallback: Ecosystem) -> Release:
    """The release; `fallback` is the family of distributions whose package manager it is."""
    if data is None:
        return Release(fallback, "", "the release of the distribution is not in this file; check the image or folder as a whole")
    values = {key: one or other or bare for key, one, other, bare in _LINE.findall(data.decode("utf-8", "replace"))}
    name, version = values.get("ID", ""), values.get("VERSION_ID", "")
    ecosystem = _KNOWN.get(name)
    if ecosystem is None:
        called = (values.get("PRETTY_NAME") or name or "a distribution without os-release")[:100]
        return Release(fallback, f"{name}-{version}".strip("-")[:100], f"{called} is none whose advisories are known here")
    if not version:
        return Release(ecosystem, "", f"{values.get('PRETTY_NAME', name)[:100]} names no release, so its advisories cannot be told apart")
    return Release(ecosystem, _as_advisories_write_it(ecosystem, version))


def _as_advisories_write_it(ecosystem: Ecosystem, version: str) -> str:
    numbers = version.split(".")
    match ecosystem:
        case Ecosystem.ALPINE:
            return "v" + ".".join(numbers[:2])
        case Ecosystem.UBUNTU:
            supported = len(numbers) == 2 and numbers[1] == "04" and numbers[0].isdecimal() and int(numbers[0]) % 2 == 0
            return f"{version}:LTS" if supported else version
        case _:
            return numbers[0]
