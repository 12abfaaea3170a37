"""Which folders and files of the disk are believed.

Guarantees that remembered facts and sockets are used only when nobody else could have written them.
Does not repair permissions of what already exists: whoever loosened them meant something by it, and is told.
"""

# pathlib costs milliseconds on the hook's path.
# ruff: noqa: PTH102, PTH103, PTH116, PTH120

from __future__ import annotations

import os
import stat


def distrust(path: str, *, folder: bool) -> str:
    """Why `path` cannot be believed; empty when it is the user's own and closed to the writes of others."""
    try:
        status = os.lstat(path)
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if folder and not stat.S_ISDIR(status.st_mode):
        return "is no folder"
    if not folder and not stat.S_ISREG(status.st_mode):
        return "is no plain file"
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    return ""


def private_folder(path: str) -> str:
    """Make `path` a folder of mode 0700 if it is missing; returns why it cannot be used, or an empty string.

    Nothing is made in another user's folder: root with somebody's HOME would leave folders there that their owner can no longer use.
    """
    above = os.path.dirname(path)
    while above and not os.path.lexists(above):
        above = os.path.dirname(above)
    try:
        if os.stat(above or ".").st_uid not in (0, os.geteuid()):
            return "is in a folder of another user"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    return distrust(path, folder=True)
