"""What `assay drift` was asked, and looking at it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from assaymark.deployment.drift.drifted import Cause, Drift
from assaymark.deployment.drift.stance import Found, Ignored, Plain, Stance
from assaymark.deployment.drivers.driver import Pair
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

if TYPE_CHECKING:
    from assaymark.deployment.drift.told import Report
    from assaymark.deployment.drift.watching import Look

_MOST_BYTES = 1 << 30
_HOUR = 3600 * SECOND


class Asked(Struct, frozen=True):
    """The command's options."""

    tree: str
    manifest: str
    data: tuple[str, ...]
    outside: bool
    memory: str
    period: int
    full: bool
    upper: str
    lowers: tuple[str, ...]
    mountpoints: tuple[str, ...]
    pairs: tuple[Pair, ...]
    terms: Path
    state: str
    desired: str
    observed: str
    trust: str
    keys: tuple[str, ...]
    verifier: str
    bundles: tuple[str, ...]
    environment: str
    ignored: tuple[Ignored, ...]
    name: str
    tell: Pair | None
    server: str
    token_file: Path | None


def asked(**given: Any) -> Asked:
    """The options, after a look at whether they make sense together.

    Raises:
        UsageError: when they do not.
    """
    pairs, tell = tuple(map(_pair, given.pop("pairs"))), given.pop("tell")
    ignored = tuple(map(_ignored, given.pop("ignored")))
    found = Asked(**given, pairs=pairs, ignored=ignored, tell=_pair(tell) if tell else None)
    wrong = ""
    if found.tree and not found.manifest:
        wrong = "a tree needs --manifest: what it has to be"
    elif found.manifest and not found.tree:
        wrong = "--manifest needs a tree"
    elif bool(found.upper) is not bool(found.lowers):
        wrong = "--upper and --lower belong together"
    elif found.desired and not found.observed:
        wrong = "--desired needs --observed"
    elif not (found.tree or found.upper or found.pairs or found.observed):
        wrong = "nothing is named"
    elif (found.trust or found.keys) and not (found.manifest or found.desired):
        wrong = "--trust and --key are for a manifest or a desired state"
    if wrong:
        raise UsageError("it is not said what is to be looked at", why=wrong, advice="see `assay drift --help`")
    return found


def look(asked: Asked, now: Instant) -> Report:
    """Everything that was asked for, once.

    Raises:
        AssayError: when something cannot be looked at at all.
    """
    from assaymark.deployment.drift.told import Report

    drifts, looked, notes = list[Drift](), list[str](), list[str]()
    stance = _stance(asked, now)
    for look_at in (_tree, _upper, _instances, _infrastructure):
        for names, found, said in look_at(asked, stance, now):
            looked += names
            drifts += found
            notes += said
    return Report(now, tuple(looked), tuple(drifts), tuple(notes))


def write_manifest(tree: str, path: str) -> None:
    """Write down what a tree is, to be endorsed.

    Raises:
        SubjectUnreadable: when something in it cannot be read: nothing is left out.
        UsageError: when there is no tree, or the file cannot be written.
    """
    from assaymark.subjects.manifest import Form, manifest_of

    if not tree:
        raise UsageError("--write-manifest needs a tree", advice="assay drift TREE --write-manifest FILE")
    made = manifest_of(tree, Form.OWNED)
    try:
        Path(path).write_bytes(made.text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", why=error.strerror or str(error)) from error
    print(f"{made.digest}  {made.entries} entries")


def watch(asked: Asked, ends: float) -> Iterator[list[Drift]]:
    """Drifts as they happen, until the monotonic clock says so.

    Raises:
        AssayError: when it cannot be watched.
    """
    from assaymark.deployment.drift import watching

    if bool(asked.tree) is bool(asked.upper) or asked.pairs or asked.observed:
        raise UsageError(
            "--watch watches one tree or one container", why="what else there is tells no changes", advice="repeat the command"
        )

    def drift(found: Found, cause: Cause | None) -> Drift:
        return _stance(asked, _now()).drift(_name(asked), found, cause)

    def rounds() -> float:
        left = ends - time.monotonic()
        return min(left, 5.0)

    yield from watching.watch(_looked_at(asked), drift, rounds)


Part = tuple[Iterable[str], Iterable[Drift], Iterable[str]]


def _tree(asked: Asked, stance: Stance, now: Instant) -> Iterator[Part]:
    if not asked.tree:
        return
    from assaymark.deployment.drift import tree
    from assaymark.deployment.drift.remembered import Remembered

    expected, notes = _expected(asked, now)
    remembered = Remembered(Path(asked.memory), now, period=Instant(asked.period * _HOUR), full=asked.full) if asked.memory else None
    seen = tree.scan(asked.tree, expected, lambda found: stance.drift(_name(asked), found), remembered, outside=asked.outside)
    if remembered is not None:
        remembered.save()
        notes.append(f"{seen.recalled} of {seen.entries} entries were remembered" if not remembered.full else "everything was read")
    yield [_name(asked)], seen.drifts, notes


def _upper(asked: Asked, stance: Stance, _: Instant) -> Iterator[Part]:
    if asked.upper:
        yield [_name(asked)], [stance.drift(_name(asked), each) for each in _looked_at(asked).everything()], ()


def _instances(asked: Asked, _: Stance, now: Instant) -> Iterator[Part]:
    if not asked.pairs:
        return
    from assaymark.cli.deploying import driver_of, site_of
    from assaymark.deployment.drift import instances
    from assaymark.deployment.phoenix.journal import Journal

    site = site_of(asked.terms, asked.state)
    for pair in asked.pairs:
        terms = site.document.of(pair)
        journal = Journal(site.state, pair)
        journal.read()
        seen = instances.look(driver_of(terms), journal.ledger, terms, now)
        yield seen.ids, seen.drifts, () if seen.ids else (f"{pair} has no instances",)


def _infrastructure(asked: Asked, stance: Stance, now: Instant) -> Iterator[Part]:
    if not asked.observed:
        return
    from assaymark.deployment.drift import plan

    seen = _read(asked.observed)
    notes = []
    if asked.desired:
        data = _read(asked.desired)
        notes += _endorsed(asked, asked.desired, data, now)
        sides = plan.desired(data, asked.desired), plan.observed(seen, asked.observed)
    else:
        sides = plan.behind(seen, asked.observed)
        notes.append("without --desired only what the plan itself tells of changes behind it is told")
    name = asked.name or asked.observed
    yield [name], plan.drifts(*sides, lambda found: stance.drift(name, found)), notes


def _looked_at(asked: Asked) -> Look:
    from assaymark.deployment.drift import tree, upper, watching

    if asked.upper:
        return watching.UpperLook(asked.upper, asked.lowers, upper.noise(asked.mountpoints))
    expected, _ = _expected(asked, _now())
    return watching.TreeLook(asked.tree, expected, lambda: tree.look(asked.tree, expected, outside=asked.outside).found)


def _expected(asked: Asked, now: Instant) -> tuple[Any, list[str]]:
    from assaymark.deployment.drift.tree import Expected
    from assaymark.subjects.listing import raw

    data = _read(asked.manifest)
    notes = _endorsed(asked, asked.manifest, data, now)
    if asked.data:
        notes.append(f"not compared: {', '.join(asked.data)}")
    return Expected(data, map(raw, asked.data)), notes


def _endorsed(asked: Asked, name: str, data: bytes, now: Instant) -> list[str]:
    """What is to be said of its endorsement.

    Raises:
        NotEndorsed: when it was asked whether it is, and it is not.
    """
    if not (asked.trust or asked.keys):
        return [f"whether {name} is endorsed was not asked: name --trust or --key"]
    from assaymark.cli.drift_endorsed import endorsed

    return [endorsed(asked, name, data, now)]


def _stance(asked: Asked, now: Instant) -> Stance:
    return Stance(Plain(ignore=asked.ignored), now)


def _name(asked: Asked) -> str:
    return asked.name or asked.tree or asked.upper


def _pair(text: str) -> Pair:
    environment, slash, component = text.partition("/")
    if not (environment and slash and component):
        raise UsageError(f"{text[:200]!r} is no pair", advice="write ENVIRONMENT/COMPONENT")
    return Pair(environment, component)


def _ignored(text: str) -> Ignored:
    what, equals, until = text.rpartition("=")
    if not (what and equals and until):
        raise UsageError(f"--ignore {text[:200]!r} has no end", advice="write WHAT=2030-01-31T12:00:00Z")
    return Ignored(what, until)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is too large", why=f"at most {_MOST_BYTES} bytes are read")
    return data


def _now() -> Instant:
    return Instant(time.time_ns() // 1000)
