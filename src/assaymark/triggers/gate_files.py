"""The gate's hook in a repository: written beside whatever hook stands there, which runs first, and taken out again without a trace."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from assaymark.errors import UsageError
from assaymark.triggers.gate import SETTINGS

_MARK = "# assaymark gate"
_HOOK = "pre-receive"
_BEFORE = ".before-assaymark-gate"
_OTHERS = (_HOOK, f"{_HOOK}.before-assaymark")
"""Where our hook may stand: another hook that was installed later keeps it under the second name, and runs it."""


def script(python: str, program: str) -> str:
    """The hook's text. Where nothing was judged, for the program is gone or broken, the mode in the settings decides."""
    start = f"{shlex.quote(python)} -I -c {shlex.quote(program)}"
    return f"""#!/bin/sh
{_MARK}: `assay gate uninstall` takes it out again
before="$0{_BEFORE}"
input=$(cat && printf .) || exit 1
input=${{input%.}}
if [ -x "$before" ]; then printf "%s" "$input" | "$before" "$@" || exit $?; fi
printf "%s" "$input" | {start} "$0"
code=$?
[ "$code" != 0 ] || exit 0
[ "$code" != 10 ] || exit 1
echo "assay gate: it could not be started (code $code); the administrator of this git host mends it: assay gate status" >&2
grep -q '^mode = "audit"' "${{GIT_DIR:-.}}/{SETTINGS}" 2>/dev/null && exit 0
exit 1
"""


def install(folder: Path, text: str) -> str:
    """Write the hook; gives a sentence.

    Raises:
        UsageError: when the folder can't be written, or an earlier hook is already kept aside.
    """
    path = next((folder / name for name in _OTHERS if is_ours(folder / name)), folder / _HOOK)
    before = folder / f"{_HOOK}{_BEFORE}"
    kept = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and not is_ours(path):
            if before.exists():
                raise UsageError(f"{path} is not ours and {before.name} exists too", advice="merge the two by hand, then install again")
            path.rename(before)
            kept = f"; the hook that stood there is kept as {before.name} and runs first"
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        draft.replace(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written", why=why, advice="check the owner of the hooks folder") from error
    return f"the gate is installed in {folder}{kept}"


def uninstall(folder: Path) -> str:
    """Take the hook out and put back what stood there before."""
    for name in _OTHERS:
        path, before = folder / name, folder / f"{_HOOK}{_BEFORE}"
        if is_ours(path):
            path.unlink()
            if before.exists():
                before.rename(path)
                return "the gate is taken out; the earlier hook is back"
            return "the gate is taken out"
    return f"no gate is installed in {folder}"


def is_installed(folder: Path) -> bool:
    return any(is_ours(folder / name) for name in _OTHERS)


def is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(200)
    except OSError:
        return False
