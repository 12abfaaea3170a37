"""Endorsements of commits as git notes under ``refs/notes/endorsements``, which any git carries: a bundle a line.

Guarantees: a note is added to what is there, and the ref moves only if it still is what was read, so two writers lose nothing of each
other; another's notes are merged line by line, and nothing is taken away; one note can be read out of a commit that no ref names yet, as a
hook meets it. Bounded: what is longer than anything honest is passed over.

Pushing and fetching is any git's: ``git push <remote> refs/notes/endorsements``. Who may push notes can delete them; a gate sees that they
are missing, and nobody can forge one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from assaymark.endorsement import bundle, dsse, statement
from assaymark.endorsement.places.gathered import MOST, gathered, is_about, one_line
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.subjects.git import Git

REF = "refs/notes/endorsements"
MOST_BYTES = MOST * bundle.MOST_BYTES
_MOST_NOTES = 1_000_000
_TRIES = 30
_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_IDENTITY = "assaymark <assaymark@localhost>"


def digest_of(commit: str) -> str:
    """As statements name a commit."""
    return f"gitCommit:{commit}"


def commit_of(git: Git, revision: str) -> str:
    """The commit that is meant.

    Raises:
        SubjectNotFound: when there is none.
    """
    answer = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    found = answer.output.decode("ascii", "replace").strip()
    if answer.code or not _OID.match(found):
        raise SubjectNotFound(f"there is no commit {revision[:200]!r}", advice="fetch it first")
    return found


def read(git: Git, commit: str, *, at: str = REF) -> tuple[bytes, ...]:
    """The endorsements of a commit, by a ref or a commit of notes; none when there are no notes."""
    _need_commit(commit)
    return gathered([_note(git, commit, at)], digest_of(commit))


def write(git: Git, commit: str, data: bytes, *, clock: Callable[[], float] = time.time) -> bool:
    """Add an endorsement to the commit's note; False when it is there already.

    Raises:
        SignatureInvalid: when it is none.
        UsageError: when it is not about this commit.
        SubjectUnreadable: when git cannot write, or others write all the time.
    """
    _need_commit(commit)
    lines = one_line(data)
    if not is_about(lines[0], digest_of(commit)):
        named = ", ".join(each.name[:100] for each in statement.read(dsse.payload_of(bundle.read(lines[0]))).subject[:3])
        raise UsageError(f"this endorsement is not about {commit}", why=f"it is about {named}")
    for turn in range(_TRIES):
        before = tip(git)
        present = _note(git, commit, before) if before else b""
        note = _joined(present, lines)
        if note == present:
            return False
        if _moved(git, before, (), {commit: note}, int(clock())):
            return True
        time.sleep(0.01 * turn)
    raise SubjectUnreadable(f"{REF} did not come to rest", why="others write it all the time", advice="try again")


def merge(git: Git, theirs: str, *, clock: Callable[[], float] = time.time) -> bool:
    """Bring another's notes, a commit that was fetched, into ours; False when there is nothing new in them.

    Raises:
        SubjectUnreadable: when git cannot read or write them.
    """
    for turn in range(_TRIES):
        before = tip(git)
        if before and git.ask("merge-base", "--is-ancestor", theirs, before).code == 0:
            return False
        if before and git.ask("merge-base", "--is-ancestor", before, theirs).code == 0:
            changed: dict[str, bytes] | None = None
        else:
            changed = _differences(git, before, theirs)
        if _brought(git, before, theirs, changed, int(clock())):
            return True
        time.sleep(0.01 * turn)
    raise SubjectUnreadable(f"{REF} did not come to rest", why="others write it all the time", advice="try again")


def tip(git: Git, ref: str = REF) -> str:
    """The commit of the notes; empty when there are none."""
    answer = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return answer.output.decode("ascii", "replace").strip() if answer.code == 0 else ""


# --- reading ---------------------------------------------------------------------------------------------------------


def _note(git: Git, commit: str, at: str) -> bytes:
    """One note, wherever it stands: git spreads many notes over folders, a level deeper for each power of 256."""
    names = [_fanned(commit, level) for level in range(6)]
    asked = "".join(f"{at}:{name}\n" for name in names).encode()
    answer = git.ask("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=asked)
    if answer.code:
        return b""
    parts = []
    for line in answer.output.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[1] == "blob" and int(words[2]) <= MOST_BYTES:
            parts.append(git.run("cat-file", "blob", words[0]))
    return b"\n".join(part.rstrip(b"\n") for part in parts) + b"\n" if parts else b""


def _fanned(commit: str, level: int) -> str:
    heads = [commit[2 * each : 2 * each + 2] for each in range(level)]
    return "/".join([*heads, commit[2 * level :]])


def _all(git: Git, at: str) -> dict[str, str]:
    """Object of each note, by what it is a note of."""
    rows = git.run("ls-tree", "-r", "-z", at).split(b"\0")
    if len(rows) > _MOST_NOTES:
        raise SubjectUnreadable(f"{REF} has more than {_MOST_NOTES} notes")
    found = {}
    for row in rows:
        head, _, name = row.partition(b"\t")
        of = name.decode("ascii", "replace").replace("/", "")
        if _OID.match(of):
            found[of] = head.split(b" ")[2].decode("ascii")
    return found


def _differences(git: Git, ours: str, theirs: str) -> dict[str, bytes]:
    """What our notes become where theirs say more."""
    mine, others = (_all(git, ours) if ours else {}), _all(git, theirs)
    changed = {}
    for commit, note in others.items():
        if mine.get(commit) != note:
            present = _note(git, commit, ours) if ours else b""
            joined = _joined(present, _note(git, commit, theirs).splitlines())
            if joined != present:
                changed[commit] = joined
    return changed


def _joined(present: bytes, lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in dict.fromkeys([*present.splitlines(), *lines]) if line.strip())


# --- writing ---------------------------------------------------------------------------------------------------------


def _brought(git: Git, before: str, theirs: str, changed: dict[str, bytes] | None, at: int) -> bool:
    if changed is None or not before:
        words = ("update-ref", REF, theirs, before or "0" * len(theirs))
        return git.ask(*words).code == 0
    return _moved(git, before, (theirs,), changed, at)


def _moved(git: Git, before: str, parents: tuple[str, ...], notes: dict[str, bytes], at: int) -> bool:
    """Make the commit of notes and move the ref to it; False when the ref was moved meanwhile.

    It is made under a ref of its own, and moved by comparing: `git notes` does not compare.
    """
    draft = f"refs/assaymark/notes-{time.time_ns():x}"
    text = [b"commit %b\ncommitter %b %d +0000\n" % (draft.encode(), _IDENTITY.encode(), at), _data(b"Notes of endorsements\n")]
    if before:
        text.append(f"from {before}\n".encode())
    text += [f"merge {each}\n".encode() for each in parents]
    for commit, note in notes.items():
        text += [f"N inline {commit}\n".encode(), _data(note)]
    writing = replace(git, env={**git.env, "GIT_OPTIONAL_LOCKS": "1"})
    made = writing.ask("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(text) + b"\ndone\n")
    if made.code:
        raise SubjectUnreadable(f"{REF} cannot be written", why=made.complaint, advice="look at who owns the repository")
    after = tip(git, draft)
    try:
        return writing.ask("update-ref", REF, after, before or "0" * len(after)).code == 0
    finally:
        writing.ask("update-ref", "-d", draft)


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _need_commit(commit: str) -> None:
    if not _OID.match(commit):
        raise UsageError(f"{commit[:100]!r} is no commit", advice="name it by its whole digest")
