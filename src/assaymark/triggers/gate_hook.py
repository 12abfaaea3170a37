"""What the gate's pre-receive hook runs: git's lines in, words to whoever pushes and an exit code out.

Exit codes: 0 lets the push in, 10 refuses it. Anything else, such as Python's own 1 for a program that is broken, means that nothing was
judged, and the hook's script decides by the mode.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from assaymark.errors import AssayError, SubjectUnreadable
from assaymark.model.assessment import Instant
from assaymark.subjects.repository import discover
from assaymark.triggers import gate_book, notify
from assaymark.triggers.attestations import attestations
from assaymark.triggers.gate import SETTINGS, Elsewhere, Gate, Judged, Mode, belief_of, judge, settings_of, updates
from assaymark.triggers.gate_book import Opening

PASSES, REFUSES, NOT_JUDGED = 0, 10, 4
_MOST_INPUT = 8 << 20
_Write = Callable[[str], object]


def main() -> int:
    """In the folder of the repository, as git calls hooks; the hook's own name is the first argument."""
    hooks = Path(sys.argv[1]).absolute().parent
    return asked(is_own=hooks.resolve() == (_git_dir() / "hooks").resolve())


def asked(*, is_own: bool) -> int:
    """The answer to the push on standard input; `is_own` when it was installed for this very repository.

    In a folder of hooks that repositories share, one without settings has no gate; in its own folder, somebody took them away.
    """
    git_dir = _git_dir()
    if not is_own and not (git_dir / SETTINGS).exists():
        return PASSES
    try:
        return run(git_dir, sys.stdin.buffer.read(_MOST_INPUT + 1), sys.stderr.write, Instant(time.time_ns() // 1000))
    except Exception as error:  # noqa: BLE001 - said in one line to whoever pushes
        sys.stderr.write(f"assay gate: {type(error).__name__}: a defect of Assaymark\n")
        return NOT_JUDGED


def _git_dir() -> Path:
    return Path(os.environ.get("GIT_DIR") or ".").absolute()


def run(git_dir: Path, lines: bytes, write: _Write, now: Instant) -> int:
    """The answer to one push."""
    mode = Mode.ENFORCE  # until the settings say otherwise
    try:
        gate = settings_of(git_dir)
        mode = gate.mode
        if len(lines) > _MOST_INPUT:
            raise SubjectUnreadable("this push moves more refs than are looked at", advice="push them in portions")
        with _Bounded(gate.seconds):
            judged = judge(discover(".").git, gate, lambda: belief_of(gate, now), updates(lines), asks_server(gate))
    except AssayError as error:
        opened = gate_book.opening(git_dir, now)
        gate_book.write_down(git_dir, [Judged("", "", problem=error.what)], mode, now, opened)
        return _cannot_tell(error, mode, opened, write)
    opened = gate_book.opening(git_dir, now)
    gate_book.write_down(git_dir, judged, mode, now, opened)
    return _answer(judged, gate, opened, write)


def asks_server(gate: Gate) -> Elsewhere:
    """Endorsements of a commit from the server of the settings; none without one."""

    def ask(commit: str) -> Iterable[bytes]:
        return _from_server(gate, commit) if gate.server else ()

    return ask


def _from_server(gate: Gate, commit: str) -> Iterable[bytes]:
    try:
        notify.need_safe(gate.server)
        token = notify.token_of(Path(gate.token_file)) if gate.token_file else ""
    except notify.Trouble as error:
        raise SubjectUnreadable(f"{gate.server} cannot be asked", why=str(error)) from error
    return attestations(gate.server, token, f"gitCommit:{commit}", seconds=gate.seconds)


# --- words -----------------------------------------------------------------------------------------------------------


def _answer(judged: list[Judged], gate: Gate, opened: Opening | None, write: _Write) -> int:
    refused = [each for each in judged if not each.ok]
    if not refused:
        return PASSES
    lets = gate.mode is Mode.AUDIT or opened is not None
    for each in refused:
        write(f"assay gate: {_shown(each.ref)} is protected, and {each.commit[:12]} {'would be' if lets else 'is'} refused\n")
        for one in each.refused:
            write(f"  {one.reason.value}: {_shown(one.text)}\n")
        if each.problem:
            write(f"  {each.problem}\n")
    if opened is not None:
        write(f"assay gate: let through, because {_shown(opened.by)} opened the gate: {_shown(opened.reason)}\n")
    elif lets:
        write("assay gate: let through, because the gate only audits for now\n")
    if any(each.refused for each in refused):
        write(_ADVICE)
    return PASSES if lets else REFUSES


_ADVICE = """  do this: have the server judge this very commit and endorse it, then push the endorsement along:
    assay attach get --server <address> git:HEAD --note && git push <remote> <branch> refs/notes/endorsements
"""


def _cannot_tell(error: AssayError, mode: Mode, opened: Opening | None, write: _Write) -> int:
    write(f"assay gate: it cannot be told whether this push is approved\n{error.diagnosis()}\n")
    if mode is Mode.AUDIT or opened is not None:
        write("assay gate: let through, because the gate only audits for now, or was opened\n")
        return PASSES
    write("  the administrator of this git host can open the gate for a while: assay gate open\n")
    return REFUSES


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)[:500]


class _Bounded:
    """Ends what takes too long, wherever it waits."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, self._over)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _over(self, _number: int, _frame: FrameType | None) -> None:
        raise SubjectUnreadable(
            f"the gate did not come to an answer within {self._seconds:g} seconds",
            advice="push again; `seconds` in its settings gives more",
        )
