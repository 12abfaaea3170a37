"""Which folders a folder's files refer to, so that a unit of input can be a closure and not only a folder.

A check of directories may have a method ``links(content) -> relative folders`` (`Links`). It is asked once per content, and the answer is
remembered beside the facts, so planning reads only what it has never seen. It is part of what a check says of content: pure, and never
told a path.

Guarantees
* what can't be read or asked has no links; the member itself then says why, when the unit is read;
* answers are the same with and without memory.

Does not decide what a unit is: see `units.derive`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from assaymark.engine import outcome as outcomes
from assaymark.engine.facts import Memory
from assaymark.engine.units import READABLE
from assaymark.model.check import Check, Checked, Dialect, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId
from assaymark.model.subject import Entry, ReaderSpec

MOST_LINKS = 1000
"""Of one content; more is made to keep us busy."""
_LARGEST = 1 << 20
"""Bytes of a file that is asked for links; one file of settings is not larger."""

Known = Mapping[CheckId, Mapping[Digest, tuple[str, ...]]]
"""Per check, what each content refers to; contents without links may be missing."""


@runtime_checkable
class Links(Protocol):
    """A check whose units reach beyond a folder."""

    def links(self, content: bytes) -> Iterable[str]:
        """Folders that this content refers to, relative to the one it stands in (``../net``); may name some that do not exist."""
        ...


def linking(checks: Iterable[Check]) -> list[Check]:
    """Those of the checks that have links."""
    return [check for check in checks if check.unit is UnitKind.DIRECTORY and isinstance(check, Links)]


def look_up(checks: Sequence[Check], listings: Sequence[Sequence[Entry]], sources: Sequence[ReaderSpec], memory: Memory | None) -> Known:
    """The links of everything that the checks select in these listings; each listing has its source of content."""
    found: dict[CheckId, dict[Digest, tuple[str, ...]]] = {}
    for check in linking(checks):
        wanted: list[dict[Digest, Dialect]] = []
        for listing in listings:
            chosen = ((entry, check.select(entry.path)) for entry in listing if entry.kind in READABLE)
            wanted.append({entry.digest: dialect for entry, dialect in chosen if dialect is not None})
        found[check.id] = _of_check(check, wanted, sources, memory)
    return found


def _of_check(
    check: Check, wanted: Sequence[Mapping[Digest, Dialect]], sources: Sequence[ReaderSpec], memory: Memory | None
) -> dict[Digest, tuple[str, ...]]:
    key = outcomes.fact_key(check.id, check.version, "links")
    keys = {key(dialect, digest): digest for each in wanted for digest, dialect in each.items()}
    known = memory.get(list(keys)) if memory is not None and keys else {}
    found = {keys[each]: outcome.links for each, outcome in known.items() if isinstance(outcome, Checked)}
    fresh: dict[Digest, tuple[str, ...]] = {}
    for each, source in zip(wanted, sources, strict=True):
        missing = [digest for digest in each if digest not in found and digest not in fresh]
        fresh |= _ask(check, missing, source) if missing else {}
    if memory is not None and fresh:
        dialects = {digest: dialect for each in wanted for digest, dialect in each.items()}
        memory.put([(key(dialects[digest], digest), outcomes.encode(Checked(links=links))) for digest, links in fresh.items()])
    return found | fresh


def _ask(check: Check, digests: Sequence[Digest], source: ReaderSpec) -> dict[Digest, tuple[str, ...]]:
    assert isinstance(check, Links)  # noqa: S101 - `linking` chose it
    answers: dict[Digest, tuple[str, ...]] = {}
    try:
        reader = source.open()
        try:
            for content in reader.read(digests, limit=_LARGEST):
                if content.data is not None:
                    answers[content.digest] = tuple(sorted(set(islice(check.links(content.data), MOST_LINKS))))
        finally:
            reader.close()
    except Exception:  # noqa: BLE001 - the sandbox: what has no links now says by itself what is wrong with it
        return answers
    return answers
