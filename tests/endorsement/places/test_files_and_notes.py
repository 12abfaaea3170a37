"""Endorsements beside files and as notes of commits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from pathlib import Path

import pytest
from tests.endorsement.approvals import NOW, claims, signer, statement_of, trusting

from assaymark.endorsement import bundle, dsse, revocation
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.places import files, notes
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.verify import Expected, verify
from assaymark.errors import SubjectNotFound, UsageError
from assaymark.subjects.git import Git
from assaymark.subjects.repository import discover

KEY = signer()


def endorsed(kind: str, value: str, number: int = 0, *by: KeySigner) -> bytes:
    said = statement_of(claims(resource_uri=f"git+https://forge.example/shop#{number}"), (Named("shop", {kind: value}),))
    return bundle.written(dsse.sign(PAYLOAD_TYPE, said, *(by or (KEY,))))


def holds(data: bytes, digest: str) -> bool:
    return verify(data, digest, Expected(), trusting(KEY), revocation.opened(()), now=NOW).ok


# --- files -------------------------------------------------------------------------------------------------------------


def of_file(path: Path, number: int = 0, *by: KeySigner) -> bytes:
    return endorsed("sha256", hashlib.sha256(path.read_bytes()).hexdigest(), number, *by)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "shop-1.whl"
    path.write_bytes(b"a wheel")
    return path


def test_a_bundle_lies_beside_its_file(wheel: Path) -> None:
    data = of_file(wheel)
    assert files.write(wheel, data, b"proof") == (Path(f"{wheel}.sigstore.json"), Path(f"{wheel}.tlog-proof"))
    found = files.read(wheel)
    assert (found.endorsements, found.proof) == ((data,), b"proof")
    assert holds(found.endorsements[0], found.digest)
    assert files.write(wheel, data) == (Path(f"{wheel}.sigstore.json"),)  # once more


def test_what_lies_there_is_kept_among_the_lines(wheel: Path) -> None:
    files.write(wheel, of_file(wheel, 1))
    assert files.write(wheel, of_file(wheel, 2)) == (Path(f"{wheel}.intoto.jsonl"),)
    files.write(wheel, of_file(wheel, 3))
    assert len(files.read(wheel).endorsements) == 3


def test_signatures_of_one_statement_stay_together(wheel: Path) -> None:
    other = signer()
    files.write(wheel, b"\n".join(bundle.one_each(bundle.read(of_file(wheel, 1, KEY, other)))))
    [one] = files.read(wheel).endorsements
    assert len(bundle.read(one).signatures) == 2


def test_a_changed_file_has_no_endorsement(wheel: Path) -> None:
    data = of_file(wheel)
    files.write(wheel, data)
    wheel.write_bytes(b"another wheel")
    assert files.read(wheel).endorsements == ()
    with pytest.raises(UsageError, match="not about"):
        files.write(wheel, data)
    with pytest.raises(SubjectNotFound):
        files.read(wheel.with_name("absent"))


def test_rubbish_beside_a_file_is_passed_over(wheel: Path) -> None:
    data = of_file(wheel)
    Path(f"{wheel}.intoto.jsonl").write_bytes(b'{"a":\nnot json\n[1]\n' + data + b"\n\xff\xfe\n")
    assert files.read(wheel).endorsements == (data,)


# --- notes -------------------------------------------------------------------------------------------------------------


class Repo:
    def __init__(self, path: Path, *words: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        for who in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{who}_NAME": "Ann", f"GIT_{who}_EMAIL": "ann@shop.example"}
        self.git("init", "-q", "-b", "main", *words)

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.path, env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, text: str = "x") -> str:
        self.git("commit", "-q", "--allow-empty", "-m", text)
        return self.git("rev-parse", "HEAD")

    @property
    def safe(self) -> Git:
        return discover(str(self.path), environ=self.env).git


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return Repo(tmp_path / "work", f"--object-format={request.param}")


def test_a_note_is_written_read_and_verifies(repo: Repo) -> None:
    commit = repo.commit()
    data = endorsed("gitCommit", commit)
    assert notes.write(repo.safe, commit, data)
    assert not notes.write(repo.safe, commit, data)
    assert notes.read(repo.safe, commit) == (data,)
    assert holds(data, notes.digest_of(commit))
    assert repo.git("notes", "--ref=endorsements", "show", commit).encode() == data  # any git reads it
    assert repo.git("for-each-ref", "refs/assaymark") == ""


def test_a_second_endorsement_is_added(repo: Repo) -> None:
    commit = repo.commit()
    for number in range(3):
        notes.write(repo.safe, commit, endorsed("gitCommit", commit, number))
    assert len(notes.read(repo.safe, commit)) == 3


def test_a_note_that_any_git_wrote_is_read_among_many(repo: Repo) -> None:
    commit = repo.commit()
    number = 400  # enough for folders
    stream = "".join(f"commit refs/heads/many\nmark :{each}\ncommitter A <a@b> {each} +0000\ndata 0\n" for each in range(1, number))
    stream += "commit refs/notes/endorsements\ncommitter A <a@b> 1 +0000\ndata 0\n"
    stream += "".join(f"N inline :{each}\ndata 1\nx\n" for each in range(1, number))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repo.path, env=repo.env, input=stream.encode(), check=True)
    data = endorsed("gitCommit", commit)
    notes.write(repo.safe, commit, data)
    assert f"/{commit[2:]}" in repo.git("ls-tree", "-r", "--name-only", notes.REF)
    assert notes.read(repo.safe, commit) == (data,)
    assert repo.git("notes", "--ref=endorsements", "show", commit).encode() == data
    assert len(repo.git("notes", "--ref=endorsements", "list").splitlines()) == number


def test_what_is_about_another_commit_is_not_written_and_not_read(repo: Repo) -> None:
    one, two = repo.commit("1"), repo.commit("2")
    with pytest.raises(UsageError, match="not about"):
        notes.write(repo.safe, two, endorsed("gitCommit", one))
    repo.git("notes", "--ref=endorsements", "add", "-m", endorsed("gitCommit", one).decode(), two)
    assert notes.read(repo.safe, two) == ()


def test_writers_at_once_lose_nothing(repo: Repo) -> None:
    commit = repo.commit()
    made = [endorsed("gitCommit", commit, number) for number in range(6)]
    threads = [threading.Thread(target=notes.write, args=(repo.safe, commit, each)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notes.read(repo.safe, commit)) == sorted(made)


def test_notes_of_others_are_merged_and_go_on_by_any_git(repo: Repo, tmp_path: Path) -> None:
    bare = Repo(tmp_path / "bare.git", "--bare", f"--object-format={'sha256' if len(repo.commit()) == 64 else 'sha1'}")
    commit = repo.git("rev-parse", "HEAD")
    repo.git("push", "-q", str(bare.path), "main")
    subprocess.run(["git", "clone", "-q", str(bare.path), str(tmp_path / "other")], env=repo.env, check=True, capture_output=True)
    other = Repo(tmp_path / "other")
    for each, numbers in ((repo, (1, 2)), (other, (2, 3))):
        for number in numbers:
            notes.write(each.safe, commit, endorsed_once(commit, number))
    repo.git("push", "-q", str(bare.path), notes.REF)
    other.git("fetch", "-q", str(bare.path), f"{notes.REF}:refs/assaymark/theirs")
    assert notes.merge(other.safe, notes.tip(other.safe, "refs/assaymark/theirs"))
    assert not notes.merge(other.safe, notes.tip(other.safe, "refs/assaymark/theirs"))
    assert len(notes.read(other.safe, commit)) == 3
    other.git("push", "-q", str(bare.path), notes.REF)  # without force: theirs is in it
    assert len(notes.read(bare.safe, commit)) == 3


_MADE: dict[tuple[str, int], bytes] = {}


def endorsed_once(commit: str, number: int) -> bytes:
    """Signatures differ each time, so that two people only have the same one when one made it."""
    return _MADE.setdefault((commit, number), endorsed("gitCommit", commit, number))
