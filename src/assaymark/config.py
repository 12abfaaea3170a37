"""Where things live on this machine, and the installation key. The only module that reads the environment for settings.

| variable | meaning | default |
|---|---|---|
| ``ASSAYMARK_CACHE`` | what may be deleted: facts, compiled rules | ``$XDG_CACHE_HOME/assaymark`` |
| ``ASSAYMARK_KEY`` | the installation key, at least 16 characters; give all machines of a team the same one | a random one in the key file |
| ``ASSAYMARK_KEY_FILE`` | where the random key is kept | ``$XDG_CONFIG_HOME/assaymark/key`` |
| ``ASSAYMARK_FACTS_MIB`` | size bound of the facts store | 512 |
| ``ASSAYMARK_DAEMON`` | ``off`` never asks or starts the daemon (`hookclient`, `daemon.start`) | on |
| ``ASSAYMARK_TODAY`` | ISO date by which waivers and exceptions are judged; for tests and reproducible reports | today in UTC |
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.errors import UsageError

_LEAST_KEY = 16


class Config(Struct, frozen=True):
    """Settings of this machine and user."""

    cache: Path
    key: Secret
    facts_bytes: int
    today: dt.date

    @property
    def facts_file(self) -> Path:
        return self.cache / "facts.sqlite"


def load(env: Mapping[str, str] | None = None) -> Config:
    """Read the environment, and make the installation key when there is none yet.

    Raises:
        UsageError: when a variable does not mean anything or the key file is open to others.
    """
    env = os.environ if env is None else env
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    cache = Path(env.get("ASSAYMARK_CACHE") or Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "assaymark")
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Config(
        cache=cache,
        key=_key(env, home),
        facts_bytes=_whole(env, "ASSAYMARK_FACTS_MIB", 512) << 20,
        today=_today(env),
    )


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


def _key(env: Mapping[str, str], home: Path) -> Secret:
    given = env.get("ASSAYMARK_KEY", "")
    if given:
        if len(given) < _LEAST_KEY:
            raise UsageError(f"ASSAYMARK_KEY has {len(given)} characters", advice=f"give at least {_LEAST_KEY}, from a random source")
        return Secret(given.encode())
    path = Path(env.get("ASSAYMARK_KEY_FILE") or Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "assaymark" / "key")
    try:
        return _read_key(path)
    except FileNotFoundError:
        return _make_key(path)


def _read_key(path: Path) -> Secret:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise UsageError(f"{path} is open to others", why="whoever reads it can guess secrets offline", advice=f"chmod 600 {path}")
        value = file.read(4096)
    if len(value) < _LEAST_KEY:
        raise UsageError(f"{path} holds no key", advice="delete it: a new one is made, and waivers of secrets must be renewed")
    return Secret(value)


def _make_key(path: Path) -> Secret:
    """Write the whole key under another name first, so that two first runs at once agree on one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(os.urandom(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other process was first: its key counts
    finally:
        draft.unlink()
    return _read_key(path)
