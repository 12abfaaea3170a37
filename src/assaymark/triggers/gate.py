"""The gate of a plain git host: a protected branch takes only commits that are approved, by what the host itself believes.

Guarantees
* asked within the push, before a ref moves: endorsements come with the push as notes (in git's quarantine), or lie in the repository, in a
  folder of the host, or at the server; they are verified here, offline, with the host's own folder of trust;
* protected refs are not deleted and not rewound by a push, and a symbolic ref or, where the file system does not tell them apart, another
  spelling counts as what it leads to; notes of endorsements only grow;
* whatever cannot be told refuses the push when the gate enforces, and lets it through with a word when it only audits;
* bounded in time; every answer is written down beside the repository.

Not here: what is not pushed. Whoever has a shell on the host moves refs with ``git update-ref``, past every hook: that is the way back in
for an administrator, and the reason why a host's shell is worth protecting. Commits below the new tip are not asked about: an endorsement
of a commit is one of everything in its tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.endorsement import revocation, trust
from assaymark.endorsement.distribution.client import held
from assaymark.endorsement.log import proof
from assaymark.endorsement.places import files, notes
from assaymark.endorsement.revocation import OpenRevocations
from assaymark.endorsement.trust import OpenTrust, matches
from assaymark.endorsement.verify import Expected, Logged, Refusal, Refused, Verification, verify
from assaymark.errors import AssayError, UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import Instant
from assaymark.subjects.git import Git

SETTINGS = "assaymark-gate.toml"
_MOST_UPDATES = 10_000
_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class Mode(StrEnum):
    AUDIT = "audit"
    """Says what it would refuse, and lets it through."""
    ENFORCE = "enforce"


class Gate(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings, a file of TOML in the repository's own folder, which no push can change."""

    trust: str
    """Folder of what is believed, kept current by `assay trust update`; or one document of it, which nobody keeps current."""
    revocations: str = ""
    """The list of what was revoked, where `trust` is a document."""
    mode: Mode = Mode.AUDIT
    protected: tuple[str, ...] = ("refs/heads/main",)
    """Refs; exact, or the beginning followed by ``*``."""
    resource: str = ""
    """That the endorsement has to be about, e.g. ``git+https://git.example.org/shop.git``; empty: not asked, the commit says enough."""
    environment: str = ""
    levels: tuple[str, ...] = ()
    max_age_days: int = 0
    folder: str = ""
    """Of endorsements by commit: ``<commit>.sigstore.json``, ``<commit>.intoto.jsonl``; and ``<commit>.tlog-proof``, for whichever of the
    places an endorsement came from: where the trust document asks for the log, it is needed."""
    server: str = ""
    """That is asked where neither notes nor folder hold one; its answer is verified like any other."""
    token_file: str = ""
    seconds: float = 10.0
    """For the whole push."""


class Update(Struct, frozen=True):
    """A line that git gives to the hook."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")

    @property
    def creates(self) -> bool:
        return not self.old.strip("0")


class Judged(Struct, frozen=True):
    """The answer about one ref."""

    ref: str
    commit: str
    refused: tuple[Refused, ...] = ()
    problem: str = ""
    """What speaks against it whatever is endorsed."""
    endorsement: str = ""

    @property
    def ok(self) -> bool:
        return not self.refused and not self.problem


class Belief(Struct, frozen=True):
    """What is verified with."""

    trust: OpenTrust
    revocations: OpenRevocations
    now: Instant


Elsewhere = Callable[[str], Iterable[bytes]]
"""Endorsements of a commit from the server, when nothing nearer holds one."""


def settings_of(git_dir: Path) -> Gate:
    """The gate's settings.

    Raises:
        UsageError: when there are none, or they do not say what they mean.
    """
    path = git_dir / SETTINGS
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=Gate)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), advice="run `assay gate install`") from error
    except (*UNDECODABLE, ValueError) as error:
        raise UsageError(
            f"{path} does not say what it means", why=str(error)[:300], advice="see docs/how-to/protect-a-branch.md"
        ) from error
    if not found.protected or found.seconds <= 0:
        raise UsageError(f"{path} does not say what it means", why="it protects nothing, or leaves no time")
    return found


def belief_of(gate: Gate, now: Instant) -> Belief:
    """What the host believes now.

    Raises:
        UsageError: when the folder holds nothing, was damaged, or is older than its grace.
    """
    if Path(gate.trust).is_file():
        return Belief(trust.read(_document(gate.trust)), revocation.read(_document(gate.revocations)), now)
    found = held(Path(gate.trust), now)
    if found.refused is not None:
        raise UsageError("what this host believes is too old", why=found.refused.text, advice=f"assay trust update {gate.trust}")
    return Belief(found.trust, found.revocations, now)


def _document(path: str) -> bytes:
    try:
        return Path(path or "revocations").read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path or 'the list of revocations'} cannot be read", why=why, advice="both documents are needed") from error


def updates(lines: bytes) -> tuple[Update, ...]:
    """What git says to a pre-receive hook.

    Raises:
        UsageError: when it is something else, or too much of it: nothing passes that was not read.
    """
    found = []
    for line in lines.decode("utf-8", "surrogateescape").splitlines():
        old, _, rest = line.partition(" ")
        new, _, ref = rest.partition(" ")
        if not (_OID.match(old) and _OID.match(new) and ref):
            raise UsageError("git wrote something else to the hook than a push", advice="let git call the hook")
        found.append(Update(old, new, ref))
    if len(found) > _MOST_UPDATES:
        raise UsageError(f"a push moves at most {_MOST_UPDATES} refs through this gate", advice="push them in portions")
    return tuple(found)


def judge(git: Git, gate: Gate, belief: Callable[[], Belief], pushed: Sequence[Update], elsewhere: Elsewhere) -> list[Judged]:
    """The answer about every ref that is protected; `belief` is asked for only when one is."""
    names = _Names(git)
    coming = next((each.new for each in pushed if names.same(each.ref, notes.REF) and not each.deletes), "")
    found = []
    for each in pushed:
        ref = names.led_to(each.ref)
        if names.same(ref, notes.REF):
            problem = _rewound(git, each, "notes of endorsements only grow; fetch and merge them first: assay attach notes fetch")
            found += [Judged(each.ref, each.new, problem=problem)] if problem else []
        elif names.matches(gate.protected, ref):
            places = [coming, notes.REF] if coming else [notes.REF]
            found.append(_judged(git, gate, belief, each, (places, elsewhere)))
    return found


def standing(git: Git, gate: Gate, belief: Belief, elsewhere: Elsewhere) -> list[Judged]:
    """How the protected refs stand as they are: what enforcing would mean."""
    rows = git.run("for-each-ref", "--format=%(objectname) %(refname)").decode("utf-8", "surrogateescape").splitlines()
    pairs = [row.partition(" ")[::2] for row in rows]
    names = _Names(git)
    chosen = [(ref, oid) for oid, ref in pairs if names.matches(gate.protected, ref)]
    return [_asked(git, gate, belief, Update(oid, oid, ref), ([notes.REF], elsewhere)) for ref, oid in chosen]


def _judged(git: Git, gate: Gate, belief: Callable[[], Belief], each: Update, where: tuple[list[str], Elsewhere]) -> Judged:
    problem = _rewound(git, each, "its history is not rewritten by a push; push on top of it")
    return Judged(each.ref, each.new, problem=problem) if problem else _asked(git, gate, belief(), each, where)


def _rewound(git: Git, each: Update, advice: str) -> str:
    """Why a ref would lose something; empty when it would not."""
    if each.deletes:
        return "it is protected, and not deleted by a push"
    if each.ref.startswith("refs/tags/") and not each.creates:
        return "a protected tag is not moved; make another"
    if each.creates or git.ask("merge-base", "--is-ancestor", each.old, each.new).code == 0:
        return ""
    return f"the push would rewind it: {advice}"


def _asked(git: Git, gate: Gate, belief: Belief, each: Update, where: tuple[list[str], Elsewhere]) -> Judged:
    try:
        commit = notes.commit_of(git, each.new)
    except AssayError:
        return Judged(each.ref, each.new, problem="it does not lead to a commit, and only commits are endorsed")
    answers = []
    logged = _logged(gate, belief, commit)
    for data in _endorsements(git, gate, commit, where):
        answer = _verified(data, gate, belief, commit, logged)
        if answer.ok:
            return Judged(each.ref, commit, endorsement=answer.id)
        answers.append(answer)
    if not answers:
        return Judged(each.ref, commit, refused=(Refused(Refusal.ABSENT, "there is no endorsement of this commit"),))
    return Judged(each.ref, commit, refused=min((answer.refused for answer in answers), key=len))


def _endorsements(git: Git, gate: Gate, commit: str, where: tuple[list[str], Elsewhere]) -> Iterator[bytes]:
    """The nearest first; the server is asked only when nothing nearer approves."""
    places, elsewhere = where
    for place in dict.fromkeys(places):
        yield from notes.read(git, commit, at=place)
    if gate.folder:
        yield from files.in_folder(Path(gate.folder), notes.digest_of(commit))
    yield from elsewhere(commit)


def _logged(gate: Gate, belief: Belief, commit: str) -> Logged | None:
    """What a proof of the log in the folder shows; None without one."""
    log = belief.trust.trust.log
    found = files.proof_in_folder(Path(gate.folder), notes.digest_of(commit)) if gate.folder and log is not None else b""
    return proof.logged(found, log) if found and log is not None else None


def _verified(data: bytes, gate: Gate, belief: Belief, commit: str, logged: Logged | None) -> Verification:
    expected = Expected(gate.resource, gate.environment, gate.levels, gate.max_age_days)
    return verify(data, notes.digest_of(commit), expected, belief.trust, belief.revocations, now=belief.now, logged=logged)


class _Names:
    """Refs as this repository tells them apart."""

    def __init__(self, git: Git) -> None:
        self._git = git
        answer = git.ask("config", "--type=bool", "--get", "core.ignoreCase")
        self._folds = answer.output.strip() == b"true"

    def led_to(self, ref: str) -> str:
        """Where a push to it ends: a symbolic ref moves what it names."""
        answer = self._git.ask("symbolic-ref", "--quiet", ref)
        return answer.output.decode("utf-8", "surrogateescape").rstrip("\n") if answer.code == 0 else ref

    def same(self, one: str, other: str) -> bool:
        return self._folded(one) == self._folded(other)

    def matches(self, patterns: Iterable[str], ref: str) -> bool:
        return matches([self._folded(each) for each in patterns], self._folded(ref))

    def _folded(self, text: str) -> str:
        return text.casefold() if self._folds else text
