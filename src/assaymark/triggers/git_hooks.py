"""Git hooks as triggers: written into the repository's own hooks folder, taken out again without a trace.

A hook that stood there before is kept and run first; a foreign file is never overwritten. Does not change git's configuration.
"""

from __future__ import annotations

import os
import shlex
import stat
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.triggers.perl import PERL

_MARK = "# assaymark hook"
_BEFORE = ".before-assaymark"


class Hook(StrEnum):
    """The moments at which git asks."""

    PRE_COMMIT = "pre-commit"
    PRE_PUSH = "pre-push"
    PRE_RECEIVE = "pre-receive"
    POST_RECEIVE = "post-receive"
    """Judges nothing: tells the server what came in."""


class Client(Struct, frozen=True):
    """What an installed hook runs, all by absolute paths, so that nothing on PATH can take its place."""

    python: str
    program: str
    """Text for ``python -c``: the program itself."""
    ask: str
    """The tiny client for ``python -I -S``."""
    ask_perl: str = ""
    """The same for Perl, which starts faster; empty where there is none."""
    told: tuple[str, ...] = ()
    """Of post-receive: the words that say which server is told, and how."""


def script(hook: Hook, client: Client) -> str:
    """The hook's text.

    Where no daemon can be listening the program itself is run at once, which the client would do after a start of its own.
    """
    head = f'#!/bin/sh\n{_MARK}: `assay hook uninstall {hook}` takes it out again\nbefore="$0{_BEFORE}"\n'
    python, program, ask, perl_file = (shlex.quote(word) for word in (client.python, client.program, client.ask, client.ask_perl))
    if hook is Hook.POST_RECEIVE:
        words = " ".join(shlex.quote(word) for word in client.told)
        return head + _WITH_INPUT + f'printf "%s" "$input" | {python} -I -c {program} {words}\nexit 0\n'
    if hook is not Hook.PRE_COMMIT:
        return head + _WITH_INPUT + f'printf "%s" "$input" | {python} -I -S {ask} {hook} "$@"\n'
    return (
        head
        + '[ ! -x "$before" ] || "$before" "$@" || exit $?\n'
        + f'set -- {python} -I -c {program} {hook} "$@"\n'
        + _NO_DAEMON
        + (_PERL.format(perl=PERL, file=perl_file) if client.ask_perl else "")
        + f'shift 5\nexec {python} -I -S {ask} {hook} "$@"\n'
    )


_WITH_INPUT = """input=$(cat && printf .) || exit 1
input=${input%.}
if [ -x "$before" ]; then printf "%s" "$input" | "$before" "$@" || exit $?; fi
"""


_NO_DAEMON = """for socket in "${XDG_RUNTIME_DIR:-/nowhere}"/assaymark/*.sock; do break; done
if [ "${ASSAYMARK_DAEMON-}" = off ] || { [ -n "${XDG_RUNTIME_DIR-}" ] && [ ! -S "$socket" ]; }; then
  exec "$@"
fi
"""
"""Only of sockets in the runtime folder the shell can say for sure that there are none."""

_PERL = """if [ -z "${{PERL5OPT+x}}${{PERL_UNICODE+x}}${{PERLIO+x}}" ] && [ -x {perl} ] && [ -f {file} ]; then
  PERL_BADLANG=0 exec {perl} -f {file} "$@"
fi
"""
"""A Perl that was taken away, or that the user's environment makes another one, is not asked."""


def install(folder: Path, hook: Hook, client: Client) -> str:
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
        _write(path, script(hook, client))
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
