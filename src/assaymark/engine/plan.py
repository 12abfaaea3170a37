"""What has to be found out: every (check, dialect, digest) once, over both sides.

Guarantees
* a name is an input of exactly the checks that select it; symbolic links, submodules and special files are inputs of none and are counted;
* the same content under several names or on both sides is one input;
* wider units that are equal on both sides are left out of a comparison, like equal names are.

Pure: listings come in, a `Plan` goes out; nothing is read, and what is already known is subtracted by `run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from assaymark.engine.units import DERIVED, READABLE, Member, Unit, derive, offered
from assaymark.model.check import Check, Dialect, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId
from assaymark.model.subject import Change, Entry


class InputKey(Struct, frozen=True, array_like=True, order=True):
    """What a fact is about, besides the check's version and knowledge."""

    check: CheckId
    dialect: Dialect
    digest: Digest


class InputRef(Struct, frozen=True):
    """One input to find out about."""

    key: InputKey
    unit: UnitKind
    members: tuple[Member, ...]
    source: int
    """Which side's reader to ask first: 0 base, 1 head."""

    @property
    def size(self) -> int:
        """Bytes as far as they are known; a file of unknown size counts as a small one."""
        return sum(member.size if member.size >= 0 else UNKNOWN_SIZE for member in self.members)


class Placed(Struct, frozen=True, array_like=True):
    """An input where it stands on one side."""

    key: InputKey
    path: str
    """Of a blob its path; of a wider unit its name, to which a sighting's `member` is relative."""


class Side(Struct, frozen=True):
    """One side's names."""

    entries: Sequence[Entry] = ()
    """What is to be judged: everything, or what differs from the other side."""
    whole: Sequence[Entry] | None = None
    """Everything, for checks of directories and trees; None when `needs_listing` says that nobody asks."""
    units: Sequence[Unit] = ()
    """What the subject offers itself, see `units.OffersUnits`."""
    links: Mapping[CheckId, Mapping[Digest, Sequence[str]]] = {}
    """What contents refer to, per check, see `links.look_up`; empty leaves units to their folders."""


class Plan(Struct, frozen=True):
    """Inputs, each once, and where they stand."""

    inputs: tuple[InputRef, ...]
    base: tuple[Placed, ...]
    head: tuple[Placed, ...]
    skipped: tuple[tuple[str, int], ...]
    """(``submodule``, ``symlink``, ``special``; count) of head's names that are inputs of no check."""


UNKNOWN_SIZE = 8192


def sides(changes: Iterable[Change]) -> tuple[Side, Side]:
    """Both sides of what differs."""
    rows = list(changes)
    base = [change.before for change in rows if change.before is not None]
    head = [change.after for change in rows if change.after is not None]
    return Side(entries=base), Side(entries=head)


def needs_listing(checks: Iterable[Check], base: Side, head: Side) -> bool:
    """Whether a check of directories or trees selects one of these names, so that both sides must be listed whole."""
    wide = [check for check in checks if check.unit in DERIVED]
    return any(check.select(entry.path) is not None for check in wide for side in (base, head) for entry in side.entries)


def plan(checks: Sequence[Check], base: Side, head: Side, *, everything: bool = False) -> Plan:
    """What to find out so that both sides can be judged; `everything` keeps wider units that are equal on both sides.

    Raises:
        ValueError: when a check needs a whole listing that the sides do not have; `needs_listing` tells beforehand.
    """
    if needs_listing(checks, base, head) and (base.whole is None or head.whole is None):
        raise ValueError("a check of directories or trees needs both sides' whole listings")
    drafts = _Draft(checks), _Draft(checks)
    inputs: dict[InputKey, InputRef] = {}
    for source, (draft, side) in enumerate(zip(drafts, (base, head), strict=True)):
        draft.add_blobs(side.entries, source, inputs)
        draft.add_wider(side, source)
    if not everything:
        for placed in drafts[0].wider.keys() & drafts[1].wider.keys():
            del drafts[0].wider[placed], drafts[1].wider[placed]
    for draft in drafts:
        for placed, ref in draft.wider.items():
            inputs.setdefault(placed.key, ref)
            draft.placed.append(placed)
    skipped = Counter(entry.kind.value for entry in head.entries if entry.kind not in READABLE)
    return Plan(
        inputs=tuple(inputs.values()),
        base=tuple(drafts[0].placed),
        head=tuple(drafts[1].placed),
        skipped=tuple(sorted(skipped.items())),
    )


class _Draft:
    """One side while it is being planned."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.placed: list[Placed] = []
        self.wider: dict[Placed, InputRef] = {}
        self._blob = [check for check in checks if check.unit is UnitKind.BLOB]
        self._wide = [check for check in checks if check.unit is not UnitKind.BLOB]

    def add_blobs(self, entries: Iterable[Entry], source: int, inputs: dict[InputKey, InputRef]) -> None:
        # Entries outside, checks inside: all checks of one content are neighbours, so a batch reads it once.
        for entry in entries:
            if entry.kind not in READABLE:
                continue
            for check in self._blob:
                dialect = check.select(entry.path)
                if dialect is None:
                    continue
                key = InputKey(check.id, dialect, entry.digest)
                if key not in inputs:
                    inputs[key] = InputRef(key, UnitKind.BLOB, (Member("", entry.digest, entry.size),), source)
                self.placed.append(Placed(key, entry.path))

    def add_wider(self, side: Side, source: int) -> None:
        for check in self._wide:
            listed = check.unit in DERIVED
            found = derive(check, side.whole or (), side.links.get(check.id)) if listed else offered(check, side.units)
            for dialect, unit in found:
                key = InputKey(check.id, dialect, unit.digest)
                self.wider[Placed(key, unit.name)] = InputRef(key, unit.kind, unit.members, source)
