"""The one way in which git is called.

Guaranteed for every call, whatever the repository's own configuration says:

* no program is started on the repository's behalf: no hook, pager, file-system monitor, external diff, text conversion, transport;
  content filters (``filter.*``) are the one thing that a fixed option cannot switch off, see `assaymark.subjects.worktree`
* nothing is fetched, nothing is written, no lock is taken, nobody is asked for a password
* names are literal (no pathspec magic), outputs do not depend on the user's configuration or language, replaced objects are not followed
* an answer is bounded in bytes, and a git that falls silent is stopped

The configuration of user and system is not read, so trust (``safe.directory``) is settled by `assaymark.subjects.repository` beforehand.
Options are never built from names: callers pass object ids, or names on standard input.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH113, PTH117, PTH118
from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import EngineMissing, SubjectUnreadable

STALL_SECONDS = 120.0
"""How long git may be silent: listing a million files on a cold disk takes tens of seconds, a dead network disk never answers."""

LISTING_BYTES = 256 * 1024 * 1024
"""About three million names. A tree of a few hostile objects can list more names than there are atoms."""

GIT_MEMORY = 4 << 30
"""Private memory of one git; mapped packs do not count. Git holds a whole diff before it prints any of it, and a few hostile objects make
one without end; a small delta may rest on a hostile base of many gigabytes."""

_HARDENING = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.alternateRefsCommand=false",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "gpg.program=false",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
)

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
}

_CONFIG_FILES = ("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_GLOBAL")

FROM_HOOKS = (
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
)
"""What git tells its hooks about where new objects wait; kept when the repository asked about is the hook's own."""


class GitAnswer(Struct, frozen=True):
    """What git said."""

    code: int
    output: bytes
    complaint: str
    """Its error text, made fit for a terminal."""


class Git(Struct, frozen=True):
    """A hardened git for one repository. Picklable."""

    binary: str
    env: dict[str, str]
    """The whole environment, not an addition to it."""
    cwd: str
    """Top of the work tree, or the git directory: listings are relative to where git runs."""
    config: tuple[str, ...] = ()
    """``key=value`` on top of the hardening."""
    users: dict[str, str] = {}
    """Where the user said that user and system configuration are, for `under_users_configuration`."""

    def configured(self, *config: str) -> Git:
        """The same git with more configuration."""
        return replace(self, config=(*self.config, *config))

    def under_users_configuration(self) -> Git:
        """A git that reads the user's and the system's configuration as well. For asking what is configured, and nothing else."""
        env = {name: value for name, value in self.env.items() if name not in _CONFIG_FILES}
        return replace(self, env={**env, **self.users})

    def command(self, *args: str | bytes) -> list[str | bytes]:
        """The argument vector: `args` are a subcommand and its options."""
        line: list[str | bytes] = [self.binary, "--no-pager", "--literal-pathspecs", "--no-replace-objects"]
        for pair in (*_HARDENING, *self.config):
            line += ["-c", pair]
        return [*line, *args]

    def start(self, *args: str | bytes, stdin: bytes = b"") -> Running:
        """Starts git without waiting, so that several listings can be made at once."""
        return Running(self, args, stdin)

    def ask(self, *args: str | bytes, stdin: bytes = b"") -> GitAnswer:
        """Runs git to its end, whatever its exit code."""
        return self.start(*args, stdin=stdin).answer()

    def run(self, *args: str | bytes, stdin: bytes = b"") -> bytes:
        """Output of a call that must succeed.

        Raises:
            SubjectUnreadable: when git fails, falls silent or says too much.
        """
        return self.start(*args, stdin=stdin).output()


class Running:
    """A git process whose answer is still to be read."""

    def __init__(self, git: Git, args: tuple[str | bytes, ...], stdin: bytes = b"") -> None:
        self._args = args
        self._said = _scratch(b"")
        feed = _scratch(stdin) if stdin else None
        try:
            self._process = subprocess.Popen(
                git.command(*args),
                stdin=feed if feed is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=git.env,
                cwd=git.cwd,
                bufsize=0,
            )
            bound(self._process)
        except OSError as error:
            os.close(self._said)
            raise EngineMissing("git cannot be started", why=str(error), advice="install git and see that it is on PATH") from error
        finally:
            if feed is not None:
                os.close(feed)

    def answer(self) -> GitAnswer:
        """Waits for the end.

        Raises:
            SubjectUnreadable: when git falls silent or says too much.
        """
        try:
            output = self._drain()
            code = self._process.wait(STALL_SECONDS)
            return GitAnswer(code, output, self._complaint())
        finally:
            self.abandon()

    def output(self) -> bytes:
        """Output of a call that must succeed.

        Raises:
            SubjectUnreadable: when git fails, falls silent or says too much.
        """
        answer = self.answer()
        if answer.code != 0:
            refuse(f"git {self._args[0]!s} failed", answer)
        return answer.output

    def abandon(self) -> None:
        """Stops git if it still runs. May be called any number of times."""
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
        stop(self._process)

    def _drain(self) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - asked for above
        chunks: list[bytes] = []
        total = 0
        while chunk := read_some(pipe.fileno(), 1 << 20, STALL_SECONDS):
            chunks.append(chunk)
            total += len(chunk)
            if total > LISTING_BYTES:
                raise SubjectUnreadable(
                    f"git {self._args[0]!s} lists more than {LISTING_BYTES >> 20} MiB of names",
                    why="the repository is larger than Assaymark reads, or its trees were made to explode",
                    advice="check a smaller part of it: a range, a directory",
                )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _complaint(self) -> str:
        os.lseek(self._said, 0, os.SEEK_SET)
        return printable(os.read(self._said, 4096))


def read_some(fd: int, size: int, seconds: float) -> bytes:
    """At most `size` bytes, as soon as there are any; nothing at the end of the stream.

    Raises:
        SubjectUnreadable: when nothing comes for `seconds`.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLHUP)
    if not poll.poll(seconds * 1000):
        raise SubjectUnreadable(
            f"git said nothing for {seconds:.0f} seconds",
            why="the disk is very slow or gone, or an object of the repository keeps git busy for ever",
            advice="run `git fsck`, then try again",
        )
    return os.read(fd, size)


def bound(process: subprocess.Popen[bytes]) -> None:
    """Limits the memory of a git that was just started."""
    if hasattr(resource, "prlimit"):
        with suppress(OSError):  # it may have ended already
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (GIT_MEMORY, GIT_MEMORY))


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that we started, and reaps it."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()


def refuse(what: str, answer: GitAnswer) -> NoReturn:
    """Raises the failure with git's own words as the reason."""
    advice = "run `git fsck` in the repository"
    if "promisor" in answer.complaint or "shallow" in answer.complaint or "unable to read tree" in answer.complaint:
        advice = "fetch what is missing (`git fetch --unshallow`, or clone without a filter); Assaymark fetches nothing itself"
    raise SubjectUnreadable(what, why=answer.complaint or f"it ended with code {answer.code}", advice=advice)


def printable(raw: bytes) -> str:
    """Git's words on one line without control characters: they quote names that the repository chose."""
    text = raw.decode("utf-8", "replace").strip().replace("\n", "; ")
    return "".join(char if char.isprintable() else "�" for char in text)[:600]


def prepare(environ: Mapping[str, str], extra: Mapping[str, str], *, keep: bool) -> Git:
    """A hardened git in the environment of whoever asks.

    Args:
        environ: environment of the caller (a hook, a terminal, a client of the daemon).
        extra: where the repository is: ``GIT_DIR`` and its like.
        keep: keep what git told its hook about waiting objects.
    """
    env = {name: value for name, value in environ.items() if not name.startswith("GIT_") and name not in {"LANGUAGE", "LANG"}}
    env.update(_ENVIRONMENT)
    if keep:
        env.update({name: environ[name] for name in FROM_HOOKS if name in environ})
    env.update(extra)
    users = {name: environ[name] for name in _CONFIG_FILES if name in environ}
    binary = find_git(environ.get("PATH", os.defpath))
    return Git(binary=binary, env=env, cwd=extra.get("GIT_WORK_TREE", extra["GIT_DIR"]), users=users)


@lru_cache(maxsize=8)
def find_git(path: str) -> str:
    """Absolute name of the git on `path`. Relative entries are passed over: they would find a ``git`` inside the repository.

    Raises:
        EngineMissing: when there is none.
    """
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder, "git")
        if os.path.isabs(folder) and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise EngineMissing("git is not installed", why="no absolute folder on PATH holds it", advice="install git 2.36 or newer")


def _scratch(content: bytes) -> int:
    """A descriptor of an anonymous file: unlike a pipe it cannot fill up while the other side waits for us."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("assay-git", os.MFD_CLOEXEC)
    else:  # pragma: no cover - other systems than Linux
        import tempfile  # noqa: PLC0415 - expensive, and not needed on Linux

        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
