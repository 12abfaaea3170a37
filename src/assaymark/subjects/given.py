"""A file that somebody named to a command: read as a whole and no further than a bound, or written as a whole.

Guarantees: what is larger is refused and never cut; why a file cannot be read is said with its name, which moves no cursor, and with what
to do. A pipe is read as a file is (``<(…)``), a folder is told to be one. What is written is there as a whole or not at all, except through
a link or into a device, which are written to as they stand.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from assaymark.errors import UsageError
from assaymark.subjects.listing import printable_name

LOOK = "check its name and its mode"


def read_given(path: Path, most: int, advice: str = LOOK) -> bytes:
    """Its bytes.

    Raises:
        UsageError: when it cannot be read, or has more than `most` bytes.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:  # a name with a zero byte is no name
        raise unreadable(path, error, advice) from error
    if len(data) > most:
        raise UsageError(f"{printable_name(str(path))} is too large", why=f"at most {most} bytes are read", advice="is it the right file?")
    return data


def unreadable(path: Path, error: OSError | ValueError, advice: str = LOOK) -> UsageError:
    """Why a file cannot be read, in words."""
    if isinstance(error, OSError) and error.errno == errno.EISDIR:
        return UsageError(f"{printable_name(str(path))} is a folder", why="a file is asked for", advice="name the file in it")
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError(f"{printable_name(str(path))} cannot be read", why=why, advice=advice)


def write_given(path: Path, data: bytes) -> None:
    """Write it, in place of what is there.

    Raises:
        UsageError: when it cannot be written.
    """
    shown, draft = printable_name(str(path)), Path(f"{path}.{os.getpid()}.draft")
    try:
        if path.is_dir():
            raise UsageError(f"{shown} is a folder", why="a file is asked for", advice="name a file in it")
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
            return
        draft.write_bytes(data)
        draft.replace(path)
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            draft.unlink()
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        is_gone = isinstance(error, FileNotFoundError)
        advice = "make its folder first" if is_gone else "name a file that you may write"
        raise UsageError(f"{shown} cannot be written", why=why, advice=advice) from error
