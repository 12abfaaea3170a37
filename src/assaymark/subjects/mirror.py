"""A bare copy of a repository elsewhere, which only ever gets what it does not hold.

Guarantees
* a commit that is here is here with all of its history: packs appear whole or not at all, and git has followed every object of them;
* what is here is not fetched again, and nobody is asked about it;
* one process fetches at a time, also when an earlier one was killed and its git still works; whoever reads is never waited for;
* a fetch ends at its deadline, at a size, or when it is asked to; a copy that turns out damaged is made anew, once per call;
* names of refs do not become names of files: a hostile or clashing ref cannot harm the copy.

Objects are never dropped while the copy lives: a force push away from a commit that was judged leaves the commit comparable.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.subjects.bounded import Bounds, Said, Stopped, run_bounded
from assaymark.subjects.git import printable
from assaymark.subjects.objects import read_header
from assaymark.subjects.remote import Remote, local, reaching
from assaymark.subjects.repository import Place, Repository

MOST_BYTES = 16 << 30
SECONDS = 480.0
_MANY_PACKS = 32
_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+\Z")
_NOT_THERE = re.compile(r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref")
_ELSEWHERE = re.compile(
    r"could not resolve|unable to access|could not read from remote|authentication failed|could not read (?:username|password)"
    r"|terminal prompts disabled|repository .*not found|timed out|early eof|rpc failed|hung up|connection (?:refused|reset|closed)"
    r"|host key verification failed|permission denied|does not appear to be a git repository|transport .* not allowed|dubious ownership"
    r"|expected flush|unexpected disconnect|requested url returned error|ssl|redirect",
    re.IGNORECASE,
)
_OURS = re.compile(
    r"^(?!remote:).*(?:corrupt|too short|is empty|bad object|cannot be mapped|bad signature|bad pack)", re.IGNORECASE | re.MULTILINE
)


class Want(Struct, frozen=True):
    """A commit that is to be here."""

    oid: str = ""
    """Empty: what the ref stands for now."""
    ref: str = ""
    """Full name; where the commit may be found by servers that give nothing by id."""
    needed: bool = True
    """False: it is good to have, and may be gone."""


class Bound(Struct, frozen=True):
    """How far one call may go."""

    seconds: float = SECONDS
    most_bytes: int = MOST_BYTES
    should_stop: Callable[[], bool] = lambda: False


class Unreachable(SubjectUnreadable):
    """The remote could not be asked, or did not let us in."""


class Gone(SubjectNotFound):
    """The remote was asked, and does not have it."""


class Mirror:
    """The copy in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def repository(self) -> Repository:
        """For reading."""
        return Repository(git=local(self.folder), place=Place(str(self.folder), str(self.folder), None))

    def fetch(self, remote: Remote, wants: Sequence[Want], bound: Bound | None = None) -> tuple[str, ...]:
        """Have these commits here; gives the id of each, empty for one that was not needed and is not there.

        Raises:
            Gone: when a needed one is not there.
            Unreachable: when the remote does not answer.
            Stopped: when it takes too long, is too large, or was asked to end.
        SubjectUnreadable: when it cannot be copied.
        """
        _well_formed(wants)
        bound = bound or Bound()
        known = self.known(wants)
        if all(known):
            return known
        until = time.monotonic() + bound.seconds
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone(until, bound.should_stop) as lock:
            work = _Fetch(self.folder, remote, Bounds(until, self.folder, bound.most_bytes, bound.should_stop), lock)
            if (self.folder / "suspect").exists():
                work.discard()
            try:
                return work.commits(wants)
            except _Damaged:
                work.discard()
            try:
                return work.commits(wants)
            except _Damaged as error:
                raise SubjectUnreadable(
                    "the repository cannot be copied", why=str(error), advice="run `git fsck` where it lives"
                ) from error

    def default_branch(self, remote: Remote, bound: Bound | None = None) -> str:
        """The full ref that the remote's HEAD names; empty when it names none.

        Raises:
            Unreachable: when the remote does not answer.
        """
        bound = bound or Bound()
        until = time.monotonic() + bound.seconds
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone(until, bound.should_stop) as lock:
            return _Fetch(self.folder, remote, Bounds(until, self.folder, bound.most_bytes, bound.should_stop), lock).default_branch()

    def refs(self, remote: Remote, bound: Bound | None = None) -> tuple[dict[str, str], str]:
        """Branches and tags of the remote with what they point to, and the full ref that its HEAD names, empty when it names none.

        Raises:
            Unreachable: when the remote does not answer.
        """
        bound = bound or Bound()
        until = time.monotonic() + bound.seconds
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone(until, bound.should_stop) as lock:
            # Made for looking only, it would be of the wrong kind for a repository with other ids.
            folder = self.folder if self._is_made() else self.folder.with_name(f"{self.folder.name}.look")
            fetch = _Fetch(folder, remote, Bounds(until, folder, bound.most_bytes, bound.should_stop), lock)
            try:
                return fetch.refs()
            finally:
                if folder != self.folder:
                    fetch.discard()

    def suspect(self) -> None:
        """Something of it could not be read: the next fetch makes it anew."""
        with suppress(OSError):
            (self.folder / "suspect").touch()

    def upkeep(self, seconds: float = SECONDS) -> bool:
        """Join packs when there are many; False when there is nothing to do or somebody fetches."""
        if not self._is_made() or len(list((self.folder / "objects" / "pack").glob("*.pack"))) < _MANY_PACKS:
            return False
        until = time.monotonic() + seconds
        try:
            with self._alone(time.monotonic(), lambda: False) as lock:
                bounds = Bounds(until, self.folder, 2 * MOST_BYTES)
                git = local(self.folder)
                run_bounded(git, ["repack", "-d", "--quiet", "--geometric=2"], bounds, keep=(lock,))
                run_bounded(git, ["commit-graph", "write", "--reachable", "--split"], bounds, keep=(lock,))
        except SubjectUnreadable:
            return False
        return True

    def remove(self) -> None:
        """Forget it, when nobody fetches."""
        with self._alone(time.monotonic() + 1.0, lambda: False):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _is_made(self) -> bool:
        return (self.folder / "HEAD").exists() and not (self.folder / "suspect").exists()

    def known(self, wants: Sequence[Want]) -> tuple[str, ...]:
        """Ids of those that are here, without asking anybody; what is asked by ref alone never is."""
        _well_formed(wants)
        if not self._is_made() or not all(want.oid for want in wants):
            return ("",) * len(wants) if wants else ()
        return _commits(self.folder, [want.oid for want in wants]) or ("",) * len(wants)

    @contextmanager
    def _alone(self, until: float, should_stop: Callable[[], bool]) -> Iterator[int]:
        file = os.open(self.folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(file):
                if time.monotonic() >= until or should_stop():
                    raise Stopped("the repository is being fetched by somebody else", advice="it will be tried again")
                time.sleep(0.02)
            yield file
        finally:
            os.close(file)


class _Damaged(Exception):  # noqa: N818 - says what is wrong
    """The copy here, not the remote."""


class _Fetch:
    """One turn under the lock."""

    def __init__(self, folder: Path, remote: Remote, bounds: Bounds, lock: int) -> None:
        self._folder, self._remote, self._bounds, self._lock = folder, remote, bounds, lock

    def commits(self, wants: Sequence[Want]) -> tuple[str, ...]:
        self._make(wants)
        _clear(self._folder)
        found = {want: self._here(want.oid) for want in wants if want.oid}
        missing = [want for want in wants if not found.get(want)]
        for chosen in (missing, [want for want in missing if want.needed]):
            if chosen and self._ask([(want.oid or want.ref, want) for want in chosen]):
                found |= {want: self._here(want.oid or _kept(want)) for want in chosen}
                break
        left = [want for want in missing if not found.get(want)]
        if left:
            found |= self._by_names(left)
        for want in wants:
            if want.needed and not found.get(want):
                raise Gone(
                    f"{want.oid or want.ref} is not in {self._remote.url}",
                    why="it was deleted or overwritten, or its server does not give it away",
                    advice="push again, or ask for a commit that a branch or tag holds",
                )
        return tuple(found.get(want, "") for want in wants)

    def default_branch(self) -> str:
        self._make(())
        with reaching(self._remote, self._folder) as git:
            said = run_bounded(git, ["ls-remote", "--quiet", "--symref", "--", self._remote.url, "HEAD"], self._bounds)
        self._judge(said)
        line = next((line for line in said.output.splitlines() if line.startswith(b"ref: ")), b"")
        name = line.removeprefix(b"ref: ").partition(b"\t")[0].decode("utf-8", "surrogateescape")
        return name if _is_ref(name) else ""

    def refs(self) -> tuple[dict[str, str], str]:
        self._make(())
        with reaching(self._remote, self._folder) as git:
            patterns = ["HEAD", "refs/heads/*", "refs/tags/*"]
            said = run_bounded(git, ["ls-remote", "--quiet", "--symref", "--", self._remote.url, *patterns], self._bounds)
        self._judge(said)
        found, head = {}, ""
        for line in said.output.splitlines():
            left, _, name = line.decode("utf-8", "replace").partition("\t")
            if "\ufffd" in name:
                continue  # no forge takes such a name, and JSON holds none
            if left.startswith("ref: ") and name == "HEAD":
                head = left.removeprefix("ref: ") if _is_ref(left.removeprefix("ref: ")) else ""
            elif _OID.match(left) and _is_ref(name):
                found[name] = left
            elif _OID.match(left) and name.endswith("^{}") and name.removesuffix("^{}") in found:
                found[name.removesuffix("^{}")] = left  # the commit of an annotated tag
        return found, head

    def discard(self) -> None:
        """Out of the way first: whoever reads meanwhile fails by himself and tries again."""
        aside = self._folder.with_name(f"{self._folder.name}.broken-{os.urandom(4).hex()}")
        with suppress(OSError):
            self._folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _make(self, wants: Sequence[Want]) -> None:
        if (self._folder / "HEAD").exists():
            return
        self.discard()
        self._folder.mkdir(mode=0o700, parents=True)
        sha256 = any(len(want.oid) == 64 for want in wants)
        git = local(self._folder)
        options = ["--bare", "--quiet", "--template=", "--initial-branch=none", *(["--object-format=sha256"] if sha256 else [])]
        said = run_bounded(git, ["init", *options, str(self._folder)], self._bounds)
        if said.code:
            raise SubjectUnreadable("the repository cannot be copied", why=printable(said.complaint.encode()), advice="is the disk full?")

    def _by_names(self, wants: Sequence[Want]) -> dict[Want, str]:
        """Through the refs under which they may be, as far as the remote has these."""
        named = [want for want in wants if want.ref]
        if not named:
            return {}
        with reaching(self._remote, self._folder) as git:
            said = run_bounded(git, ["ls-remote", "--quiet", "--", self._remote.url, *(w.ref for w in named)], self._bounds)
        self._judge(said)
        there = {line.partition(b"\t")[2].decode("utf-8", "surrogateescape") for line in said.output.splitlines()}
        chosen = [want for want in named if want.ref in there]
        if not chosen or not self._ask([(want.ref, want) for want in chosen]):
            return {}
        return {want: self._here(want.oid or _kept(want)) for want in chosen}

    def _ask(self, specs: Sequence[tuple[str, Want]]) -> bool:
        """Fetch; False when the remote lacks one of them."""
        lines = "".join(dict.fromkeys(f"+{source}:{_kept(want)}\n" for source, want in specs))
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-show-forced-updates", "--stdin"]
        with reaching(self._remote, self._folder) as git:
            said = run_bounded(
                git, ["fetch", *options, "--", self._remote.url], self._bounds,
                stdin=lines.encode("utf-8", "surrogateescape"), keep=(self._lock,),
            )  # fmt: skip
        if said.code and _NOT_THERE.search(said.complaint):
            return False
        self._judge(said)
        return True

    def _judge(self, said: Said) -> None:
        why = printable(said.complaint.encode())
        if _OURS.search(said.complaint):
            raise _Damaged(why)
        if said.code and _ELSEWHERE.search(said.complaint):
            raise Unreachable(
                f"{self._remote.url} cannot be fetched", why=why, advice="look at the address, and at the token or key of its connection"
            )
        if said.code:
            raise _Damaged(why)

    def _here(self, name: str) -> str:
        return (_commits(self._folder, [name]) or ("",))[0]


def _commits(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The commit behind each name, empty where there is none; nothing at all when git cannot say."""
    asked = "".join(f"{name}^{{commit}}\n" for name in names).encode()
    try:
        answer = local(folder).ask("cat-file", "--batch-check", stdin=asked)
    except SubjectUnreadable:
        return ()
    lines = answer.output.splitlines()
    if answer.code or len(lines) != len(names):
        return ()
    return tuple(read_header(line).oid for line in lines)


def _kept(want: Want) -> str:
    """The ref here that keeps it."""
    return f"refs/seen/{hashlib.sha256((want.ref or want.oid).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _well_formed(wants: Sequence[Want]) -> None:
    for want in wants:
        if not (want.oid or want.ref) or (want.oid and not _OID.match(want.oid)) or (want.ref and not _is_ref(want.ref)):
            raise SubjectNotFound(
                f"{(want.oid or want.ref)[:100]!r} names no commit", advice="write a full id, or a ref as refs/heads/main"
            )


def _is_ref(text: str) -> bool:
    return bool(_REF.match(text)) and ".." not in text and "//" not in text and "@{" not in text and not text.endswith((".lock", "/", "."))


def _clear(folder: Path) -> None:
    """What a git that was killed left: nobody else works here now."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*"):
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
