"""Whom to believe what: keys with the verifier they speak for, and for which resources, environments, levels and times.

A document of JSON that is distributed (`distribution`) and opened once: keys are parsed when it is opened, not when something is verified.
A member that is not known here is refused: a condition that was misspelt, or is newer than this release, would otherwise ask for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from assaymark.endorsement import keys, strict_json
from assaymark.endorsement.approval import implied, instant
from assaymark.endorsement.keys import PublicKey
from assaymark.errors import SignatureInvalid, UsageError
from assaymark.model.assessment import Instant

EVERYTHING = ("*",)


class TrustRoot(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Keys that speak for one verifier. Patterns are exact, or end in ``*`` for whatever begins so."""

    name: str
    verifier: str
    """Id of the verifier, exact."""
    keys: tuple[str, ...]
    """Public keys in PEM."""
    threshold: int = 1
    """How many different keys of these have to have signed."""
    resources: tuple[str, ...] = EVERYTHING
    environments: tuple[str, ...] = EVERYTHING
    levels: tuple[str, ...] = EVERYTHING
    """That it may give; a SLSA level includes the lower ones."""
    since: str = ""
    """RFC 3339; what was verified earlier is not believed."""
    until: str = ""


class LogTrust(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """The transparency log in which an endorsement has to stand."""

    origin: str
    key: str
    """Verifier key of a signed note (C2SP signed-note): ``<name>+<hash>+<base64>``."""
    required: bool = False


class Trust(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """The document."""

    roots: tuple[TrustRoot, ...]
    number: int = 1
    """Rises with each change."""
    max_age_days: int = 0
    """Endorsements older than this are not believed, whatever they say themselves; 0: no bound."""
    log: LogTrust | None = None


class OpenRoot(Struct, frozen=True):
    """A root with its keys parsed."""

    root: TrustRoot
    keys: tuple[PublicKey, ...]
    since: Instant | None
    until: Instant | None
    levels: frozenset[str] | None
    """With what they include; None: any."""


class OpenTrust(Struct, frozen=True):
    trust: Trust
    roots: tuple[OpenRoot, ...]
    keys: tuple[PublicKey, ...]
    """Of all roots, each once."""


def read(data: bytes) -> OpenTrust:
    """The document, opened.

    Raises:
        UsageError: when it is none, or a key, a time or a threshold in it makes no sense.
    """
    try:
        return opened(strict_json.read(data, Trust))
    except strict_json.NotStrictError as error:
        raise UsageError("this is no trust document", why=str(error), advice="get it with `assay trust update`") from error


def opened(trust: Trust) -> OpenTrust:
    """As `read`, of what is a document already."""
    roots = tuple(_open(root) for root in trust.roots)
    every = {key.id: key for root in roots for key in root.keys}
    return OpenTrust(trust, roots, tuple(every.values()))


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns is the name, or its beginning followed by ``*``."""
    return any(name == each or (each.endswith("*") and name.startswith(each[:-1])) for each in patterns)


def _open(root: TrustRoot) -> OpenRoot:
    try:
        found = tuple({key.id: key for key in (keys.public_key(pem.encode()) for pem in root.keys)}.values())
        since, until = (instant(text) if text else None for text in (root.since, root.until))
    except (SignatureInvalid, ValueError) as error:
        raise UsageError(f"trust root {root.name!r} cannot be used", why=str(error), advice="mend its keys and times") from error
    if not 1 <= root.threshold <= len(found):
        raise UsageError(
            f"trust root {root.name!r} can never be met", why=f"it asks for {root.threshold} of {len(found)} different keys",
            advice="ask for at least one and at most as many keys as it has",
        )  # fmt: skip
    levels = None if EVERYTHING[0] in root.levels else implied(root.levels)
    return OpenRoot(root, found, since, until, levels)
