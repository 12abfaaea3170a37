"""Files that hold a secret: a private key, its passphrase, a PIN. Of this user alone, or they are not read.

Guarantees: the file that was looked at is the file that is read (one descriptor), no link is followed at its end, and nothing larger than
a secret is taken.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from assaymark.errors import UsageError

_MOST_BYTES = 64 << 10


def read(path: Path, what: str) -> bytes:
    """Its bytes.

    Raises:
        UsageError: when it cannot be read, is no file, or is open to others.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{what} {path} cannot be read", why=why, advice="look at the path; it may be no link") from error
    with os.fdopen(number, "rb") as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{what} {path} is no file")
        if status.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(status.st_mode) & 0o077:
            raise UsageError(
                f"{what} {path} is open to others",
                why=f"its mode is {stat.S_IMODE(status.st_mode):04o} and its owner has the number {status.st_uid}",
                advice=f"chown it to yourself and chmod 600 {path}",
            )
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{what} {path} is too large", why=f"at most {_MOST_BYTES} bytes are read")
    return data


def line(path: Path, what: str) -> str:
    """Its only line, without the end of it.

    Raises:
        UsageError: as `read`, and when it holds no line or several.
    """
    try:
        text = read(path, what).decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path} is no text") from error
    if not text or "\n" in text or "\r" in text:
        raise UsageError(f"{what} {path} holds no secret", advice="write it into the file, on one line")
    return text
