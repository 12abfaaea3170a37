"""The recipe of an image: all that decides what it will be, besides the files themselves. Nothing is taken from the machine that bakes.

Guarantees: what is not said has a fixed meaning, written here; a base is named by its digest, never by a tag; a recipe that says something
unknown or contradictory is refused, because two releases that overlook different words would bake different images.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.digest import Digest, digest_of

SCRATCH = "scratch"
LAYOUT = "oci:"
MOST_BYTES = 1 << 20
_LATEST = 253_402_300_799
"""The last second of the year 9999: tar has no later one."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED = re.compile(r"[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*")
_OWNER = re.compile(r"\d{1,10}:\d{1,10}")
_MODE = re.compile(r"[0-7]{3,4}")
_PORT = re.compile(r"\d{1,5}(?:/(?:tcp|udp|sctp))?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_MOST_ID = (1 << 32) - 2


class Modes(StrEnum):
    """Which permissions files get."""

    NORMAL = "normal"
    """0755 for folders and for what its owner may execute, 0644 for the rest: the same whatever umask somebody works with."""
    KEEP = "keep"
    """As they are, with file capabilities: for the root file system of a system."""


class Special(StrEnum):
    """What happens to devices, fifos and sockets."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Owner and permissions of some paths; a later rule wins over an earlier one."""

    paths: tuple[str, ...]
    """Globs over paths in the image, without a slash in front: ``srv/**``."""
    owner: str = ""
    mode: str = ""
    """Of files, octal."""
    folder_mode: str = ""


class Files(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the files of the source become those of the image."""

    into: str = "/"
    owner: str = "0:0"
    """``<uid>:<gid>``, or ``keep``."""
    modes: Modes = Modes.NORMAL
    special: Special = Special.REFUSE
    folders: tuple[str, ...] = ()
    """Of the image, that are there even when the source has none: where something will be mounted."""
    exclude: tuple[str, ...] = (".git/**", ".git", ".hg/**", ".hg", ".svn/**", ".svn")
    """Globs over paths in the source that stay out."""
    rule: tuple[Rule, ...] = ()


class Image(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the image says of itself."""

    name: str
    """As it will be called in a registry or in podman's storage."""
    base: str = SCRATCH
    """``scratch``, ``name@sha256:…`` (podman's storage, or a registry), or ``oci:<layout>@sha256:…``."""
    base_name: str = ""
    """What the base is called in the image; the name in `base` without it, and nothing for a layout."""
    follow: str = ""
    """Where the newest base is told: a tag, a layout (``oci:…``), or the report of another bake; `assay bake --check` looks there."""
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    folder: str = ""
    """Where the program starts."""
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    stop_signal: str = ""
    architecture: str = ""
    """As Go calls it (``amd64``); that of the machine without it."""
    timestamp: int = 0
    """Seconds since 1970, of the image and every file of its top layer."""
    compressed: bool = False
    """Pack layers by gzip; the digest then also depends on the release of buildah that packs."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole."""

    image: Image
    files: Files = Files()

    @property
    def digest(self) -> Digest:
        """Of what it means, not of how it is written."""
        return digest_of(self)

    @property
    def base_digest(self) -> str:
        return "" if self.image.base == SCRATCH else self.image.base.rpartition("@")[2]


def read(data: bytes) -> Recipe:
    """The recipe that a file holds.

    Raises:
        UsageError: when it is none.
    """
    if len(data) > MOST_BYTES:
        raise UsageError("the recipe is too large", why=f"at most {MOST_BYTES} bytes are read")
    try:
        found = msgspec.convert(tomllib.loads(data.decode("utf-8")), Recipe)
    except (*UNDECODABLE, ValueError) as error:
        raise UsageError("the recipe cannot be read", why=str(error)[:300], advice="see docs/how-to/bake.md") from error
    return checked(found)


def checked(recipe: Recipe) -> Recipe:
    """The same recipe.

    Raises:
        UsageError: when it cannot be meant.
    """
    image, files = recipe.image, recipe.files
    _base(image)
    _must(_NAME.fullmatch(image.name), f"name {image.name!r} is none", "lower-case letters, digits and . _ - / :")
    _must(not image.user or _USER.fullmatch(image.user), f"user {image.user!r} is none", "write it as 1000:1000")
    _must(0 <= image.timestamp <= _LATEST, f"timestamp {image.timestamp} is none", "seconds since 1970")
    for port in image.ports:
        _must(_PORT.fullmatch(port), f"port {port!r} is none", "write it as 8080 or 8080/tcp")
    for name, value in image.environment.items():
        _must(_VARIABLE.fullmatch(name), f"variable {name!r} is none", "letters, digits and _")
        _must("$" not in value, f"variable {name} holds a $", "buildah would put a variable of this machine there: write the value out")
    _absolute("into", files.into)
    for folder in (*image.volumes, *([image.folder] if image.folder else [])):
        _absolute("a folder of the image", folder)
    for folder in files.folders:
        _absolute("folders", folder)
    _owner(files.owner, may_keep=True)
    for rule in files.rule:
        _rule(rule)
    texts = [*image.entrypoint, *image.command, *image.environment.values(), *image.labels, *image.labels.values(), image.base_name]
    _must(not any("\0" in text for text in texts), "a NUL stands in the recipe", "take it out")
    _must(not any("=" in name or not name for name in image.labels), "a label's name is empty or holds a =", "take it out")
    return recipe


def owner_of(text: str) -> tuple[int, int]:
    """User and group, as numbers."""
    user, _, group = text.partition(":")
    return int(user), int(group)


def _base(image: Image) -> None:
    base = image.base
    if base == SCRATCH:
        return
    place, _, digest = base.rpartition("@")
    is_layout = place.startswith(LAYOUT)
    good = place != LAYOUT and _DIGEST.fullmatch(digest) if is_layout else _NAMED.fullmatch(base)
    _must(
        good,
        f"base {base[:200]!r} is not named by its digest",
        "a tag may point elsewhere tomorrow: name@sha256:… or oci:<layout>@sha256:…",
    )


def _rule(rule: Rule) -> None:
    _must(rule.paths, "a rule names no paths", 'give it paths = ["srv/**"]')
    _must(rule.owner or rule.mode or rule.folder_mode, f"the rule for {rule.paths[0]!r} says nothing", "give it owner, mode or folder_mode")
    for path in rule.paths:
        _must(not path.startswith("/"), f"path {path!r} of a rule begins with /", "paths in the image have none in front")
    if rule.owner:
        _owner(rule.owner, may_keep=False)
    for mode in (rule.mode, rule.folder_mode):
        _must(not mode or _MODE.fullmatch(mode), f"mode {mode!r} is none", "three or four octal digits")


def _owner(text: str, *, may_keep: bool) -> None:
    if may_keep and text == "keep":
        return
    good = _OWNER.fullmatch(text) and max(owner_of(text)) <= _MOST_ID
    _must(good, f"owner {text!r} is none", "two numbers, as 1000:1000: names mean other people on other machines")


def _absolute(what: str, path: str) -> None:
    parts = path.split("/")
    good = path.startswith("/") and "\0" not in path and not {".", ".."} & set(parts) and "" not in parts[1:-1]
    _must(good, f"{what} is {path!r}", "an absolute path without . and ..")


def _must(good: object, what: str, advice: str) -> None:
    if not good:
        raise UsageError(f"the recipe is wrong: {what}", advice=advice)
