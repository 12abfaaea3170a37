"""What a git hook runs, with or without the daemon: the same function, so the same answer.

Knows no command-line library: start-up is most of a hook's time. Prints nothing when all is well.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from assaymark.cli.lean import load_msgspec
from assaymark.errors import AssayError, EngineMissing, UsageError

if TYPE_CHECKING:
    from assaymark.config import Config
    from assaymark.daemon.protocol import Request as DaemonRequest
    from assaymark.engine.executor import Executor
    from assaymark.flow import Context
    from assaymark.model.verdict import Verdict
    from assaymark.subjects.resolve import Request

Write = Callable[[int, bytes], object]
_ZERO = {"0"}
_MOST_INPUT = 1 << 20
_rehearsed: dict[int, tuple[Config, Context]] = {}
"""By process id: what a child that waited for its request has ready. Good for a request under the very same configuration."""


def handle(request: DaemonRequest, write: Write) -> int:
    """Answer a request that the daemon received; folder, environment and standard input are already the client's."""
    from assaymark.checks.application.code import ruff_ready
    from assaymark.engine.trial import Trial
    from assaymark.subjects import keeping

    ruff_ready.claim()
    keeping.begin()  # no end: git ends when this process does, and nobody waits for that
    return run(list(request.argv), write, colour=request.colour, executor=Trial())


def run(arguments: list[str], write: Write, *, colour: bool = False, executor: Executor | None = None) -> int:
    """Run a hook by name; git's words for it are read from standard input. Returns the exit code."""
    from assaymark.subjects.keeping import kept_open

    try:
        worst = 0
        with kept_open():
            for request in _requests(arguments):
                worst = max(worst, _judge(request, write, executor, colour=colour), key=_badness)
    except AssayError as error:
        write(2, error.diagnosis().encode("utf-8", "backslashreplace") + b"\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return worst


def _badness(code: int) -> int:
    return {0: 0, 5: 1, 1: 2}.get(code, 3)


def _requests(arguments: list[str]) -> Iterator[Request]:
    from assaymark.subjects.resolve import PushRequest, StagedRequest

    match arguments[:1]:
        case ["pre-commit"]:
            yield StagedRequest()
        case ["pre-push"]:  # <local ref> <local id> <remote ref> <remote id>; the remote's name is the first argument
            remote = arguments[1] if len(arguments) > 1 else ""
            yield from (PushRequest(old=row[3], new=row[1], remote=remote) for row in _rows(4) if set(row[1]) != _ZERO)
        case ["pre-receive"]:  # <old id> <new id> <ref>
            yield from (PushRequest(old=row[0], new=row[1]) for row in _rows(3) if set(row[1]) != _ZERO)
        case _:
            raise UsageError(
                f"{' '.join(arguments) or 'nothing'} is no hook that Assaymark knows", advice="pre-commit, pre-push, pre-receive"
            )


def _rows(width: int) -> Iterator[list[str]]:
    """The lines that git writes to a hook."""
    for line in sys.stdin.buffer.read(_MOST_INPUT).decode("utf-8", "surrogateescape").splitlines():
        row = line.split(" ", width - 1)
        if len(row) < width:
            raise UsageError(f"git wrote {len(row)} words to the hook", advice="let git call the hook")
        yield row


def _judge(request: Request, write: Write, executor: Executor | None, *, colour: bool) -> int:
    from assaymark import compose, config
    from assaymark.flow import Request as Question
    from assaymark.flow import assay
    from assaymark.subjects.resolve import open_comparison

    comparison = open_comparison(request)
    changes = comparison.changes()
    if not changes:
        return 0
    settings = config.load()
    known, rehearsed = _rehearsed.get(os.getpid(), (None, None))
    surroundings = rehearsed if rehearsed is not None and known == settings else compose.context(settings, executor=executor)
    narrowed = compose.Narrowed([entry.path for change in changes for entry in (change.before, change.after) if entry is not None])
    verdict = assay(Question(comparison), narrowed.of(surroundings))
    if not verdict.reasons:
        return 0
    return _tell(narrowed.whole(verdict), settings.cache, write, colour=colour)


def _tell(verdict: Verdict, cache: str, write: Write, *, colour: bool) -> int:
    """Say what there is to say, and remember it for `explain` and `waive`."""
    from assaymark.cli import last
    from assaymark.cli.place import root_here
    from assaymark.cli.show import EXIT
    from assaymark.views.options import Options
    from assaymark.views.terminal import render

    last.keep(cache, root_here(), verdict)
    write(2, render(verdict, Options(colour=colour)).encode("utf-8", "backslashreplace"))
    return EXIT[verdict.outcome]


def warm() -> None:
    """Load what a request will need, once, in the daemon's parent."""
    from assaymark import compose, config
    from assaymark.checks.application.code import ruff_run, suppressions
    from assaymark.checks.application.secrets import reporting
    from assaymark.checks.application.secrets.check import warm as warm_secrets
    from assaymark.cli import last, place, show
    from assaymark.engine import pool, trial
    from assaymark.model import scope, scope_mask
    from assaymark.model.rules import catalogue
    from assaymark.subjects import history, resolve
    from assaymark.verdict.policy import Policy
    from assaymark.views import terminal

    settings = compose.settings_of(config.load())
    for check in compose.make_checks(Policy(), settings):
        with suppress(EngineMissing):  # the run says so, to somebody who can do something
            check.knowledge()
        preload: Callable[[], None] | None = getattr(check, "preload", None)
        if preload is not None:
            preload()
    warm_secrets(settings)
    catalogue()
    for module in (last, place, show, pool, trial, history, resolve, terminal, ruff_run, suppressions, scope, scope_mask, reporting):
        sys.modules[module.__name__] = module  # imported for its effect: a forked child finds it loaded
    for name in ("difflib", "tomllib", "urllib.parse"):  # what is imported where it is used
        import_module(name)


class Spares:
    """Processes that the daemon's parent starts before a request needs them."""

    def __init__(self) -> None:
        self._command: tuple[str, ...] = ()

    def refill(self) -> None:
        """Start what is missing."""
        from assaymark.checks.application.code import ruff, ruff_ready

        if not self._command:
            with suppress(EngineMissing):
                self._command = ruff.Ruff().command()
        if self._command:
            ruff_ready.refill(self._command)

    def part_with(self) -> None:
        """The child that was just forked has them."""
        from assaymark.checks.application.code import ruff_ready

        ruff_ready.part_with()

    def rehearse(self) -> None:
        """Judge nothing against nothing, so that what is copied when it is first used is copied before somebody waits."""
        from assaymark import compose, config
        from assaymark.checks.application.code import ruff_ready
        from assaymark.engine.trial import Trial
        from assaymark.flow import Request as Question
        from assaymark.flow import assay
        from assaymark.subjects.empty import NOTHING

        ruff_ready.claim()
        settings = config.load()
        surroundings = compose.context(settings, executor=Trial())
        assay(Question(NOTHING), surroundings)
        surroundings.settle()  # opens the memory
        _rehearsed[os.getpid()] = settings, surroundings


def _at_risk(*, colour: bool) -> int | None:
    """The answer of a child that isolates nothing, which saves two workers; None when it was lost, and must be found in the usual way.

    Only for a hook that is told nothing on standard input: what a lost child has read nobody reads again.
    """
    child = os.fork()
    if child == 0:
        try:
            load_msgspec()
            from assaymark.engine.trial import Trial

            os._exit(run(sys.argv[1:], os.write, colour=colour, executor=Trial()))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # an exit code would be taken for an answer
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        return 130
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def main() -> None:
    """Without the daemon: answer, then start one for the next time."""
    gc.set_threshold(200_000)  # a short life makes little garbage, and looking for it among what is imported costs milliseconds
    colour = os.isatty(2) and not os.environ.get("NO_COLOR")
    code = _at_risk(colour=colour) if sys.argv[1:2] == ["pre-commit"] else None
    answered = code is not None
    if code is None:
        load_msgspec()
        code = run(sys.argv[1:], os.write, colour=colour)
    if os.environ.get("ASSAYMARK_DAEMON") != "off":
        from assaymark.daemon.start import start_detached

        start_detached()
    if answered:
        os._exit(code)  # this process has done nothing that needs to be tidied up, and tidying takes as long as to fork
    sys.exit(code)


if __name__ == "__main__":
    main()
