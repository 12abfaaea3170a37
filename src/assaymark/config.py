"""Where things live on this machine, and the installation key. The only module that reads the environment for settings.

| variable | meaning | default |
|---|---|---|
| ``ASSAYMARK_CACHE`` | what may be deleted: facts, compiled rules | ``$XDG_CACHE_HOME/assaymark`` |
| ``ASSAYMARK_KEY`` | the installation key, at least 16 characters; a team gives all machines the same one | a random one in the key file |
| ``ASSAYMARK_KEY_FILE`` | where the random key is kept | ``$XDG_CONFIG_HOME/assaymark/key`` |
| ``ASSAYMARK_FACTS_MIB`` | size bound of the facts store | 512 |
| ``ASSAYMARK_ADVISORIES`` | folder of the compiled advisories and of what was fetched for them | ``$XDG_DATA_HOME/assaymark/advisories`` |
| ``ASSAYMARK_DAEMON`` | ``off`` never asks or starts the daemon (`hookclient`, `daemon.start`) | on |
| ``ASSAYMARK_TODAY`` | ISO date by which waivers and exceptions are judged, for tests and reproducible reports | today, UTC |
"""

# On the path of every hook: pathlib and contextlib would cost milliseconds.
# ruff: noqa: PTH100, PTH103, PTH108, PTH111, PTH118, PTH120

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Mapping

from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.errors import UsageError

_LEAST_KEY = 16


class Config(Struct, frozen=True):
    """Settings of this machine and user."""

    cache: str
    """Folder for what may be deleted; it exists and is the user's alone."""
    key: Secret
    facts_bytes: int
    today: dt.date
    advisories: str
    """File of the compiled advisories; it need not exist."""


def load(env: Mapping[str, str] | None = None) -> Config:
    """Read the environment, and make the installation key when there is none yet.

    Raises:
        UsageError: when a variable does not mean anything or the key file is open to others.
    """
    env = os.environ if env is None else env
    home = env.get("HOME") or os.path.expanduser("~")
    cache = env.get("ASSAYMARK_CACHE") or os.path.join(env.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "assaymark")
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{cache} cannot be made", why=error.strerror or str(error), advice="name another folder in ASSAYMARK_CACHE"
        ) from error
    return Config(
        cache=os.path.abspath(cache),
        key=_key(env, home),
        facts_bytes=_whole(env, "ASSAYMARK_FACTS_MIB", 512) << 20,
        today=_today(env),
        advisories=_advisories(env, home),
    )


def _advisories(env: Mapping[str, str], home: str) -> str:
    """No cache: making them anew needs a network or the archives, and a check without them proves nothing."""
    shared = env.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    folder = env.get("ASSAYMARK_ADVISORIES") or os.path.join(shared, "assaymark", "advisories")
    return os.path.join(os.path.abspath(folder), "index.db")


def _today(env: Mapping[str, str]) -> dt.date:
    text = env.get("ASSAYMARK_TODAY", "")
    if not text:
        return dt.datetime.now(dt.UTC).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"ASSAYMARK_TODAY={text!r} is no date", advice="write it as 2026-11-23") from error


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{name}={text!r} is no whole number from 1 up", advice=f"unset it for the default of {default}")
    return int(text)


def _key(env: Mapping[str, str], home: str) -> Secret:
    given = env.get("ASSAYMARK_KEY", "")
    if given:
        if len(given) < _LEAST_KEY:
            raise UsageError(f"ASSAYMARK_KEY has {len(given)} characters", advice=f"give at least {_LEAST_KEY}, from a random source")
        return Secret(given.encode("utf-8", "surrogateescape"))
    folder = os.path.join(env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "assaymark")
    path = env.get("ASSAYMARK_KEY_FILE") or os.path.join(folder, "key")
    try:
        try:
            return _read_key(path)
        except FileNotFoundError:
            return _make_key(path)
    except OSError as error:
        raise UsageError(
            f"the key file {path} cannot be used", why=error.strerror or str(error), advice="set ASSAYMARK_KEY or ASSAYMARK_KEY_FILE"
        ) from error


def _read_key(path: str) -> Secret:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise UsageError(f"{path} is open to others", why="whoever reads it can guess secrets offline", advice=f"chmod 600 {path}")
        value = file.read(4096)
    if len(value) < _LEAST_KEY:
        raise UsageError(f"{path} holds no key", advice="delete it: a new one is made, and waivers of secrets must be renewed")
    return Secret(value)


def _make_key(path: str) -> Secret:
    """Write the whole key under another name first, so that two first runs at once agree on one key."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(os.urandom(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other process was first: its key counts
    finally:
        os.unlink(draft)
    return _read_key(path)
