"""Git hooks as triggers: written into the repository's own hooks folder, taken out again without a trace.

A hook that stood there before is kept and run first; a foreign file is never overwritten. Does not change git's configuration.
"""

from __future__ import annotations

import os
import shlex
import stat
from enum import StrEnum
from pathlib import Path

from assaymark.errors import UsageError

_MARK = "# assaymark hook"
_BEFORE = ".before-assaymark"


class Hook(StrEnum):
    """The moments at which git asks."""

    PRE_COMMIT = "pre-commit"
    PRE_PUSH = "pre-push"
    PRE_RECEIVE = "pre-receive"


def script(hook: Hook, python: str, client: str, program: str) -> str:
    """The hook's text: the tiny client by absolute path, so that nothing on PATH can take its place.

    Where no daemon can be listening the program itself is run at once, which the client would do after a start of its own.
    """
    return (
        "#!/bin/sh\n"
        f"{_MARK}: `assay hook uninstall {hook}` takes it out again\n"
        f'before="$0{_BEFORE}"\n'
        + (_WITH_INPUT if hook is not Hook.PRE_COMMIT else '[ ! -x "$before" ] || "$before" "$@" || exit $?\n')
        + (_NO_DAEMON.format(run=f"{shlex.quote(python)} -I -c {shlex.quote(program)} {hook}") if hook is Hook.PRE_COMMIT else "")
        + ('printf "%s" "$input" | ' if hook is not Hook.PRE_COMMIT else "exec ")
        + f'{shlex.quote(python)} -I -S {shlex.quote(client)} {hook} "$@"\n'
    )


_WITH_INPUT = """input=$(cat && printf .) || exit 1
input=${input%.}
if [ -x "$before" ]; then printf "%s" "$input" | "$before" "$@" || exit $?; fi
"""


_NO_DAEMON = """for socket in "${{XDG_RUNTIME_DIR:-/nowhere}}"/assaymark/*.sock; do break; done
if [ "${{ASSAYMARK_DAEMON-}}" = off ] || {{ [ -n "${{XDG_RUNTIME_DIR-}}" ] && [ ! -S "$socket" ]; }}; then
  exec {run} "$@"
fi
"""
"""Only of sockets in the runtime folder the shell can say for sure that there are none."""


def install(folder: Path, hook: Hook, *, python: str, client: str, program: str) -> str:
    """Write the hook; gives a sentence about what was done.

    Raises:
        UsageError: when the folder can't be written, or an earlier hook is already kept aside.
    """
    path = folder / hook
    before = folder / f"{hook}{_BEFORE}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = ""
        if path.exists() and not _is_ours(path):
            if before.exists():
                raise UsageError(f"{path} is not ours and {before.name} exists too", advice="merge the two by hand, then install again")
            path.rename(before)
            kept = f"; the hook that stood there is kept as {before.name} and runs first"
        _write(path, script(hook, python, client, program))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written", why=error.strerror or str(error), advice="check the owner of the hooks folder"
        ) from error
    return f"{hook} installed in {folder}{kept}"


def uninstall(folder: Path, hook: Hook) -> str:
    """Take the hook out and put back what stood there before."""
    path = folder / hook
    before = folder / f"{hook}{_BEFORE}"
    if not path.exists() or not _is_ours(path):
        return f"{hook} is not installed in {folder}"
    path.unlink()
    if before.exists():
        before.rename(path)
        return f"{hook} taken out; the earlier hook is back"
    return f"{hook} taken out"


def installed(folder: Path) -> list[Hook]:
    """Which of our hooks stand in the folder."""
    return [hook for hook in Hook if (folder / hook).exists() and _is_ours(folder / hook)]


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(400)
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    draft.replace(path)
