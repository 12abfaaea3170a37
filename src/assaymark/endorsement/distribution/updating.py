"""The client of TUF: begins to trust a root, and takes a newer state whole or not at all.

Guarantees (TUF's client workflow, by python-tuf)
* what is not signed by enough keys of its role, is older than what is held (rollback), has ended (freeze), or does not belong together
  (mix and match) is refused, and the folder stays as it was;
* roots are followed one by one from the root that was trusted first, each signed by the one before;
* the documents of a state are read before it is taken: what could not be used is not taken;
* of two that update at once, one waits for the other.

An archive whose timestamp ended within the folder's grace is taken as what it is: stale. It closes when it would have closed had it been
brought at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from msgspec import Struct
from tuf.api import exceptions as tuf
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from assaymark.endorsement import revocation, strict_json, trust
from assaymark.endorsement.approval import instant
from assaymark.endorsement.distribution import client, roots
from assaymark.endorsement.distribution.client import (
    CURRENT,
    NOTE,
    REVOCATIONS,
    SETTINGS,
    STATES,
    TRUST,
    Approved,
    Held,
    Keeping,
    Note,
    SignedTargets,
    TimestampFile,
)  # fmt: skip
from assaymark.endorsement.distribution.repository import TARGET_FOLDER
from assaymark.endorsement.distribution.sources import ARCHIVE, Archive, Server
from assaymark.errors import AssayError, SignatureInvalid, SubjectUnreadable, UsageError
from assaymark.model.assessment import SECOND, Instant

PINNED = "pinned.root.json"
_LOCK = ".lock"
_METADATA = ("timestamp.json", "snapshot.json", "targets.json")
_HISTORY = "root_history"
_KEPT = 2
_CONFIG = UpdaterConfig(root_max_length=roots.MOST_BYTES, timestamp_max_length=16_384, targets_max_length=8 << 20)


class Source(Struct, frozen=True):
    """Where a state comes from."""

    address: str
    fetcher: FetcherInterface


def server(address: str, fetcher: Server) -> Source:
    """A server's own files, or a mirror of them."""
    return Source(address.rstrip("/") + "/", fetcher)


def archive(files: dict[str, bytes]) -> Source:
    """An archive that was brought."""
    return Source(ARCHIVE, Archive(files))


def begin(folder: Path, root: bytes, keeping: Keeping) -> None:
    """Trust a root from now on; what it leads to is fetched by `take`.

    Raises:
        UsageError: when the folder holds trust already, or this is no root that signed itself.
    """
    if (folder / PINNED).exists():
        raise UsageError(f"{folder} trusts a root already", advice="remove the folder first, if it is to begin anew")
    found = roots.read(root)
    try:
        found.signed.verify_delegate(roots.ROOT, found.signed_bytes, found.signatures)
    except tuf.RepositoryError as error:
        raise SignatureInvalid("this root was not signed by enough of its own keys", why=str(error)[:300]) from error
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / SETTINGS).write_bytes(client.written(keeping))
        (folder / PINNED).write_bytes(root)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", why=error.strerror or str(error), advice="name another folder") from error


def take(folder: Path, source: Source, now: Instant) -> Held:
    """Take the newest state there is.

    Raises:
        SignatureInvalid: when it is not what the trusted keys signed.
        UsageError: when it is older, has ended, or makes no sense.
        SubjectUnreadable: when it cannot be fetched.
    """
    keeping = client.keeping(folder)
    with _alone(folder):
        states = folder / STATES
        states.mkdir(exist_ok=True)
        number = max((int(each.name) for each in states.iterdir() if each.name.isdecimal()), default=0) + 1
        draft = states / f"draft-{number}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            _fill(folder, draft, source, (keeping, now))
            draft.rename(states / str(number))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _point(folder, number)
        _forget(states, number)
    return client.held(folder, now)


def prove(folder: Path) -> roots.Standing:
    """Look at every signature and digest of the present state again, from the root that was trusted first; gives the newest root.

    The state's age is not looked at: `client.held` says it.

    Raises:
        SignatureInvalid, UsageError: when anything does not hold.
    """
    if not (folder / CURRENT).exists():
        raise UsageError(f"{folder} holds no trust", advice="begin with `assay trust init`")
    state = (folder / CURRENT).resolve()
    files = {f"{TARGET_FOLDER}{name}": data for name, data in _targets_of(state).items()}
    for path in sorted((state / _HISTORY).iterdir(), key=lambda each: int(each.name.partition(".")[0])):
        files[path.name] = client.read_bytes(path)
    named = _versions(state)
    files |= {name: client.read_bytes(state / plain) for plain, name in named.items()}
    proof = folder / STATES / f"draft-proof-{os.getpid()}"
    proof.mkdir(parents=True)
    end = instant(client.read_document(state / "timestamp.json", TimestampFile).signed.expires)
    try:
        updater = _updater(folder, proof, archive(files), Instant(end - SECOND))
        with _told("the state of this folder"):
            updater.refresh()
            for name in (each for each in _named(proof) if each in (TRUST, REVOCATIONS) or (state / client.file_of(each)).exists()):
                _download(updater, proof, name)
        return roots.standing(client.read_bytes(proof / "root.json"))
    finally:
        shutil.rmtree(proof, ignore_errors=True)


# --- a state -----------------------------------------------------------------------------------------------------------


def _fill(folder: Path, draft: Path, source: Source, when: tuple[Keeping, Instant]) -> None:
    keeping, now = when
    before = folder / CURRENT
    for name in _METADATA if before.exists() else ():
        shutil.copyfile(before / name, draft / name)
    if before.exists():
        shutil.copytree(before / _HISTORY, draft / _HISTORY)
    with _told(source.address):
        updater = _updater(folder, draft, source, _judged_at(source, keeping, now))
        updater.refresh()
        for name in _wanted(_named(draft), keeping.environments):
            _download(updater, draft, name, before)
    _look(draft)
    (draft / NOTE).write_bytes(client.written(Note(now, source.address)))


def _judged_at(source: Source, keeping: Keeping, now: Instant) -> Instant:
    """By which time its ends are judged: an archive is looked at as when it was made, as long as it would not be closed by now."""
    if source.address != ARCHIVE:
        return now
    try:
        text = b"".join(source.fetcher.fetch(f"{ARCHIVE}/timestamp.json"))
        end = instant(strict_json.read(text, TimestampFile).signed.expires)
    except (tuf.DownloadError, ValueError, OverflowError):
        return now  # the updater says what is wrong with it
    closes = end + keeping.grace_hours * 3600 * SECOND
    return Instant(end - SECOND) if end <= now < closes else now


def _updater(folder: Path, draft: Path, source: Source, at: Instant) -> Updater:
    try:
        pinned = client.read_bytes(folder / PINNED)
        made = Updater(
            str(draft),
            source.address,
            str(draft),
            f"{source.address.rstrip('/')}/{TARGET_FOLDER}",
            source.fetcher,
            _CONFIG,
            bootstrap=pinned,
        )
    except (tuf.RepositoryError, OSError) as error:
        raise UsageError(f"{folder / PINNED} cannot be used", why=str(error)[:300], advice="begin anew with `assay trust init`") from error
    known = made._trusted_set  # noqa: SLF001 - the one way to say what time it is
    assert known.reference_time.tzinfo is dt.UTC  # noqa: S101 - what is set is what is looked at
    known.reference_time = dt.datetime.fromtimestamp(at / SECOND, dt.UTC)
    return made


def _download(updater: Updater, draft: Path, name: str, before: Path | None = None) -> None:
    info = updater.get_targetinfo(name)
    if info is None:
        raise tuf.RepositoryError(f"{name} is named by nobody")
    path = draft / client.file_of(name)
    known = updater.find_cached_target(info, str(before / path.name)) if before is not None else None
    if known is not None:
        shutil.copyfile(known, path)
    else:
        updater.download_target(info, str(path))


def _named(draft: Path) -> tuple[str, ...]:
    """What the metadata names, which was verified a moment ago."""
    return tuple(sorted(client.read_document(draft / "targets.json", SignedTargets).signed.targets))


def _wanted(named: Sequence[str], environments: tuple[str, ...]) -> list[str]:
    kept = {client.target_of(each) for each in environments}
    return [name for name in named if name in (TRUST, REVOCATIONS) or (name.startswith("approved/") and (not kept or name in kept))]


def _look(draft: Path) -> None:
    """What could not be used is not taken: the last known good is worth more."""
    for name in (TRUST, REVOCATIONS):
        if not (draft / name).is_file():
            raise UsageError(f"{name} is missing", advice="have the server publish again")
    trust.read(client.read_bytes(draft / TRUST))
    revocation.read(client.read_bytes(draft / REVOCATIONS))
    for path in draft.glob(f"{client.file_of('approved/')}*"):
        client.read_document(path, Approved)


def _targets_of(state: Path) -> dict[str, bytes]:
    named = client.read_document(state / "targets.json", SignedTargets).signed.targets
    held = {name: state / client.file_of(name) for name in named}
    found = {}
    for name, path in held.items():
        if path.exists():
            folder, slash, plain = name.rpartition("/")
            found[f"{folder}{slash}{named[name].hashes.get('sha256', '')}.{plain}"] = client.read_bytes(path)
    return found


def _versions(state: Path) -> dict[str, str]:
    """File of the state -> its name with the version in it."""
    found = {"timestamp.json": "timestamp.json"}
    for name in ("snapshot.json", "targets.json"):
        found[name] = f"{client.read_document(state / name, client.VersionedFile).signed.version}.{name}"
    return found


def _point(folder: Path, number: int) -> None:
    draft = folder / f".{CURRENT}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path(STATES) / str(number))
    draft.replace(folder / CURRENT)


def _forget(states: Path, number: int) -> None:
    """All but the present state and the one before, which somebody may be reading."""
    for each in states.iterdir():
        if each.name.isdecimal() and int(each.name) <= number - _KEPT:
            shutil.rmtree(each, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        number = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written", why=error.strerror or str(error)) from error
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """TUF's reasons, as our errors."""
    try:
        yield
    except AssayError:
        raise
    except (tuf.RepositoryError, tuf.DownloadError) as error:
        _say(address, error)
    except OSError as error:
        raise UsageError("the state cannot be written", why=str(error)[:300]) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{address} gives no metadata of TUF", why=f"{type(error).__name__}: {error}"[:300]) from error


def _say(address: str, error: tuf.RepositoryError | tuf.DownloadError) -> NoReturn:
    why = str(error)[:300]
    match error:
        case tuf.ExpiredMetadataError():
            raise UsageError(
                f"what {address} gives has ended",
                why=why,
                advice="somebody may hold newer ones back: look at the server, and at this clock",
            ) from error
        case tuf.BadVersionNumberError():
            raise UsageError(
                f"what {address} gives is older than what is held",
                why=why,
                advice="somebody may want to undo a revocation; look at the server",
            ) from error
        case tuf.UnsignedMetadataError():
            raise SignatureInvalid(f"what {address} gives was not signed by enough of the trusted keys", why=why) from error
        case tuf.LengthOrHashMismatchError() | tuf.DownloadLengthMismatchError():
            raise SignatureInvalid(f"what {address} gives is not what was signed", why=why) from error
        case tuf.DownloadError():
            raise SubjectUnreadable(
                f"{address} cannot be fetched from", why=why, advice="look at the network; what was held is kept"
            ) from error
        case _:
            raise UsageError(f"{address} gives no metadata of TUF", why=why, advice="look at the address") from error
