"""Mirrors: what is fetched, what is not, and what survives attacks, kills and damage."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.subjects.commits import resolve
from assaymark.subjects.history import merge_base
from assaymark.subjects.mirror import Bound, Gone, Mirror, Unreachable, Want
from assaymark.subjects.remote import Remote, reaching

SECRET = "ghp_" + "x" * 36


@pytest.fixture
def mirror(tmp_path: Path, home: Path) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "7.git")


def remote(repo: Any) -> Remote:
    return Remote(url=f"file://{repo.path}", scheme="file")


def test_a_commit_comes_with_its_history_and_is_not_fetched_again(repo: Any, mirror: Mirror) -> None:
    first = repo.commit("one", a=b"1\n")
    second = repo.commit("two", b=b"2\n")
    assert mirror.fetch(remote(repo), [Want(second, "refs/heads/main")]) == (second,)
    assert resolve(mirror.repository, second).parents == (first,)
    shutil.rmtree(repo.path)
    assert mirror.fetch(remote(repo), [Want(second), Want(first)]) == (second, first), "nobody was asked"


def test_only_new_objects_are_fetched(repo: Any, mirror: Mirror) -> None:
    old = repo.commit("one", a=os.urandom(200_000))
    mirror.fetch(remote(repo), [Want(old)])
    new = repo.commit("two", b=b"2\n")
    mirror.fetch(remote(repo), [Want(new)])
    packs = sorted(path.stat().st_size for path in (mirror.folder / "objects" / "pack").glob("*.pack"))
    assert len(packs) == 2
    assert packs[0] < 2_000


def test_the_tip_of_a_ref_is_asked_for_each_time(repo: Any, mirror: Mirror) -> None:
    first = repo.commit("one")
    assert mirror.fetch(remote(repo), [Want(ref="refs/heads/main")]) == (first,)
    second = repo.commit("two")
    assert mirror.fetch(remote(repo), [Want(ref="refs/heads/main")]) == (second,)


def test_merge_requests_of_forks_are_found_under_the_refs_of_forges(repo: Any, mirror: Mirror) -> None:
    base = repo.commit("one")
    repo.git("checkout", "-q", "-b", "fork")
    head = repo.commit("fork")
    repo.git("update-ref", "refs/pull/5/head", head)
    repo.git("update-ref", "refs/merge-requests/6/head", head)
    repo.git("checkout", "-q", "main")
    repo.git("branch", "-q", "-D", "fork")
    main = repo.commit("three", c=b"3\n")
    found = mirror.fetch(remote(repo), [Want(ref="refs/pull/5/head"), Want(ref="refs/merge-requests/6/head"), Want(ref="refs/heads/main")])
    assert found == (head, head, main)
    assert merge_base(mirror.repository, main, head) == base


def test_an_annotated_tag_is_its_commit(repo: Any, mirror: Mirror) -> None:
    commit = repo.commit("one")
    repo.git("tag", "-a", "-m", "v1", "v1")
    assert mirror.fetch(remote(repo), [Want(repo.oid("v1"), "refs/tags/v1")]) == (commit,)
    assert mirror.fetch(remote(repo), [Want(ref="refs/tags/v1")]) == (commit,)


def test_a_commit_that_is_gone_is_told_apart_from_a_server_that_is_gone(repo: Any, mirror: Mirror) -> None:
    head = repo.commit("one")
    with pytest.raises(Gone, match="is not in"):
        mirror.fetch(remote(repo), [Want("1" * 40, "refs/heads/main")])
    with pytest.raises(Gone):
        mirror.fetch(remote(repo), [Want(ref="refs/heads/none")])
    with pytest.raises(Unreachable):
        mirror.fetch(Remote(url="file:///nowhere/x.git", scheme="file"), [Want(ref="refs/heads/main")])
    assert mirror.fetch(remote(repo), [Want(head), Want("2" * 40, needed=False)]) == (head, "")


def test_a_head_that_was_overwritten_is_found_by_its_id_while_the_server_has_it(repo: Any, mirror: Mirror) -> None:
    first = repo.commit("one")
    repo.git("commit", "-q", "--amend", "-m", "other", "--allow-empty")
    second = repo.oid()
    assert mirror.fetch(remote(repo), [Want(second, "refs/heads/main")]) == (second,)
    assert mirror.fetch(remote(repo), [Want(first, "refs/heads/main")]) == (first,)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert mirror.fetch(remote(repo), [Want(first)]) == (first,), "it was judged once, and stays comparable"


@pytest.mark.parametrize(
    "want",
    [
        Want("--upload-pack=x"),
        Want("main"),
        Want("1" * 39),
        Want(ref="--upload-pack=x"),
        Want(ref="refs/heads/a..b"),
        Want(ref="refs/heads/a:refs/heads/b"),
        Want(ref="refs/heads/*"),
        Want(ref="refs/heads/a\n+refs/heads/b"),
        Want(ref="refs/heads/a.lock"),
        Want(ref="refs/heads/@{1}"),
        Want(ref="HEAD"),
        Want(),
    ],
)
def test_what_is_neither_an_id_nor_a_ref_never_reaches_git(repo: Any, mirror: Mirror, want: Want) -> None:
    repo.commit("one")
    with pytest.raises(SubjectNotFound):
        mirror.fetch(remote(repo), [want])
    assert not mirror.folder.exists()


def test_refs_that_clash_as_files_live_beside_each_other(repo: Any, mirror: Mirror) -> None:
    repo.git("checkout", "-q", "-b", "a")
    one = repo.commit("one")
    mirror.fetch(remote(repo), [Want(ref="refs/heads/a")])
    repo.git("branch", "-q", "-m", "a", "a/b")
    two = repo.commit("two")
    assert mirror.fetch(remote(repo), [Want(ref="refs/heads/a/b")]) == (two,)
    assert one != two


def test_sha256_repositories_are_copied(make_repo: Callable[..., Any], mirror: Mirror) -> None:
    repo = make_repo("sha256", "--object-format=sha256")
    head = repo.commit("one")
    assert mirror.fetch(remote(repo), [Want(head)]) == (head,)


def _cut(folder: Path) -> None:
    for path in _writable(folder):
        os.truncate(path, 40)


def _replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


def _writable(folder: Path) -> list[Path]:
    found = list((folder / "objects" / "pack").glob("*.pack"))
    for path in found:
        path.chmod(0o600)
    return found


DAMAGE: dict[str, Callable[[Path], object]] = {
    "HEAD gone": lambda folder: (folder / "HEAD").unlink(),
    "HEAD nonsense": lambda folder: (folder / "HEAD").write_bytes(b"\0" * 64),
    "packs gone": lambda folder: shutil.rmtree(folder / "objects" / "pack"),
    "packs cut": _cut,
    "configuration nonsense": lambda folder: (folder / "config").write_text("[core\n"),
    "refs nonsense": lambda folder: [path.write_bytes(b"x") for path in (folder / "refs" / "seen").iterdir()],
    "a file in its place": _replaced,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_copy_is_made_anew(repo: Any, mirror: Mirror, damage: Callable[[Path], object]) -> None:
    old = repo.commit("one", a=b"1\n")
    mirror.fetch(remote(repo), [Want(old)])
    damage(mirror.folder)
    new = repo.commit("two", b=b"2\n")
    assert mirror.fetch(remote(repo), [Want(new), Want(old)]) == (new, old)
    subprocess.run(["git", "rev-list", "--objects", new], cwd=mirror.folder, check=True, capture_output=True, env=repo.env)


def test_a_suspected_copy_is_made_anew(repo: Any, mirror: Mirror) -> None:
    head = repo.commit("one", a=b"1\n")
    mirror.fetch(remote(repo), [Want(head)])
    (pack,) = _writable(mirror.folder)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pack.write_bytes(bytes(data))
    mirror.suspect()
    assert mirror.fetch(remote(repo), [Want(head)]) == (head,)
    subprocess.run(["git", "fsck"], cwd=mirror.folder, check=True, capture_output=True, env=repo.env)


def test_locks_and_halves_of_a_killed_git_do_no_harm(repo: Any, mirror: Mirror) -> None:
    old = repo.commit("one")
    mirror.fetch(remote(repo), [Want(old)])
    for name in ("HEAD.lock", "packed-refs.lock", "objects/pack/tmp_pack_x", "refs/seen/x.lock"):
        (mirror.folder / name).write_bytes(b"half")
    new = repo.commit("two")
    assert mirror.fetch(remote(repo), [Want(new)]) == (new,)
    assert not list(mirror.folder.glob("objects/pack/tmp_*"))


def test_a_repository_that_is_too_large_is_refused_and_the_copy_stays_usable(repo: Any, mirror: Mirror, monkeypatch: Any) -> None:
    monkeypatch.setattr("assaymark.subjects.bounded._LOOK_SECONDS", 0.0)
    old = repo.commit("one")
    mirror.fetch(remote(repo), [Want(old)])
    for number in range(8):
        repo.write(f"f{number}", os.urandom(4 << 20))
    new = repo.commit("large")
    with pytest.raises(SubjectUnreadable, match="larger"):
        mirror.fetch(remote(repo), [Want(new)], Bound(most_bytes=1 << 20))
    assert mirror.fetch(remote(repo), [Want(old)]) == (old,)
    assert mirror.fetch(remote(repo), [Want(new)]) == (new,)


def test_a_fetch_ends_at_its_deadline_and_when_it_is_asked_to(repo: Any, mirror: Mirror, tmp_path: Path, monkeypatch: Any) -> None:
    repo.commit("one")
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "ssh").write_text("#!/bin/sh\nexec sleep 30\n")
    (slow / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    away = Remote(url="ssh://git@h/x", scheme="ssh", host="h", port=22, addresses=("192.0.2.1",))
    for bound in (Bound(seconds=0.5), Bound(should_stop=lambda: True)):
        started = time.monotonic()
        while "stopped" not in (said := _refusal(mirror, away, bound)):  # what was killed before holds the lock until it is gone
            assert "somebody else" in said
            assert time.monotonic() - started < 10
            time.sleep(0.05)
        assert time.monotonic() - started < 10


def _refusal(mirror: Mirror, remote: Remote, bound: Bound) -> str:
    with pytest.raises(SubjectUnreadable) as refused:
        mirror.fetch(remote, [Want(ref="refs/heads/main")], bound)
    return refused.value.what


def _fetch_in_child(folder: Path, url: str, oids: list[str]) -> None:
    for oid in oids:
        Mirror(folder).fetch(Remote(url=url, scheme="file"), [Want(oid)])


def test_several_processes_fetch_into_one_copy(repo: Any, mirror: Mirror) -> None:
    oids = [repo.commit(str(number), a=str(number).encode()) for number in range(12)]
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_fetch_in_child, args=(mirror.folder, f"file://{repo.path}", oids[start::4])) for start in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert mirror.fetch(remote(repo), [Want(oid) for oid in oids]) == tuple(oids)
    subprocess.run(["git", "fsck"], cwd=mirror.folder, check=True, capture_output=True, env=repo.env)


def test_kills_at_random_moments_leave_a_copy_that_works(repo: Any, mirror: Mirror) -> None:
    context = multiprocessing.get_context("spawn")
    for number in range(6):
        repo.write(f"f{number}", os.urandom(1 << 20))
        head = repo.commit(str(number))
        child = context.Process(target=_fetch_in_child, args=(mirror.folder, f"file://{repo.path}", [head]))
        child.start()
        time.sleep(0.35 + 0.03 * number)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
    head = repo.oid()
    assert mirror.fetch(remote(repo), [Want(head)]) == (head,)
    subprocess.run(["git", "fsck"], cwd=mirror.folder, check=True, capture_output=True, env=repo.env)


def test_a_git_that_outlives_its_caller_keeps_the_lock(repo: Any, mirror: Mirror, tmp_path: Path) -> None:
    """Killed is the caller alone: its git still writes, and nobody writes beside it."""
    repo.commit("one")
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "ssh").write_text("#!/bin/sh\nexec sleep 3\n")
    (slow / "ssh").chmod(0o700)
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_slow_fetch, args=(mirror.folder, f"{slow}:{os.environ['PATH']}"))
    child.start()
    while not (mirror.folder / "HEAD").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    started = time.monotonic()
    with pytest.raises(SubjectUnreadable, match="somebody else"):
        mirror.fetch(remote(repo), [Want(repo.oid())], Bound(seconds=0.3))
    assert mirror.fetch(remote(repo), [Want(repo.oid())], Bound(seconds=20)) == (repo.oid(),)
    assert time.monotonic() - started > 1


def _slow_fetch(folder: Path, path: str) -> None:
    os.environ["PATH"] = path
    away = Remote(url="ssh://git@h/x", scheme="ssh", host="h", port=22, addresses=("192.0.2.1",))
    Mirror(folder).fetch(away, [Want(ref="refs/heads/main")])


def test_many_packs_are_joined_and_nothing_is_lost(repo: Any, mirror: Mirror, monkeypatch: Any) -> None:
    monkeypatch.setattr("assaymark.subjects.mirror._MANY_PACKS", 4)
    oids = []
    for number in range(6):
        oids.append(repo.commit(str(number), a=str(number).encode()))
        mirror.fetch(remote(repo), [Want(oids[-1])])
    assert mirror.upkeep()
    assert len(list((mirror.folder / "objects" / "pack").glob("*.pack"))) < 6
    shutil.rmtree(repo.path)
    assert mirror.fetch(remote(repo), [Want(oid) for oid in oids]) == tuple(oids)
    assert not mirror.upkeep()


def test_hooks_and_settings_of_a_mirrored_repository_start_nothing(repo: Any, mirror: Mirror, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    script = f"#!/bin/sh\ntouch {trap}\n"
    for folder in (repo.path / ".git" / "hooks",):
        folder.mkdir(exist_ok=True)
        for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-update", "pre-receive"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
    head = repo.commit("one", **{".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::touch ' + os.fsencode(trap) + b"\n"})
    (tmp_path / "t.sh").write_text(script)
    (tmp_path / "t.sh").chmod(0o755)
    trap.unlink(missing_ok=True)
    repo.git("config", "uploadpack.packObjectsHook", str(tmp_path / "t.sh"))
    repo.git("config", "core.fsmonitor", str(tmp_path / "t.sh"))
    mirror.fetch(remote(repo), [Want(head)])
    mirror.upkeep()
    assert not trap.exists()


# --- credentials -------------------------------------------------------------------------------------------------------


def test_a_token_is_in_no_command_line_no_file_and_no_message(mirror: Mirror, tmp_path: Path, home: Path, monkeypatch: Any) -> None:
    """A git that writes down what it was called with stands in for the real one's process."""
    fake = tmp_path / "bin"
    fake.mkdir()
    real = shutil.which("git")
    (fake / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *fetch*) tr "\\0" " " </proc/$$/cmdline >>{tmp_path}/line; env >>{tmp_path}/env; exit 1;; esac\n'
        f'exec {real} "$@"\n'
    )
    (fake / "git").chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setenv("https_proxy", "http://proxy.example:1")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    away = Remote(url="https://h/x", scheme="https", host="h", port=443, addresses=("192.0.2.1",), header=f"Authorization: Bearer {SECRET}")
    with pytest.raises(SubjectUnreadable) as caught:
        mirror.fetch(away, [Want(ref="refs/heads/main")])
    line, env = (tmp_path / "line").read_text(), (tmp_path / "env").read_text()
    assert "fetch" in line
    assert "http.curloptResolve=h:443:192.0.2.1" in line
    assert "http.followRedirects=false" in line
    assert SECRET not in line
    assert SECRET in env, "this is how git is told"
    assert "proxy.example" not in env
    assert "SSH_AUTH_SOCK" not in env
    assert SECRET not in caught.value.diagnosis()
    assert SECRET not in repr(away)
    for path in mirror.folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_ssh_gets_one_key_no_agent_and_the_address_that_was_checked(repo: Any, mirror: Mirror, tmp_path: Path, monkeypatch: Any) -> None:
    head = repo.commit("one")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "ssh").write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/line\n'
        f'while [ "$1" != -i ]; do shift; done; cat "$2" >{tmp_path}/key; stat -Lc %a "$2" >{tmp_path}/mode\n'
        f"exec git-upload-pack {repo.path}\n"
    )
    (fake / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    key = b"-----BEGIN OPENSSH " + b"PRIVATE KEY-----\n"
    away = Remote(
        url="git@forge.example:group/x.git", scheme="ssh", host="forge.example", port=22, addresses=("192.0.2.7",), key=key,
        known_hosts="forge.example ssh-ed25519 AAAA\n",
    )  # fmt: skip
    assert mirror.fetch(away, [Want(head)]) == (head,)
    line = (tmp_path / "line").read_text()
    for word in ("HostName=192.0.2.7", "HostKeyAlias=forge.example", "StrictHostKeyChecking=yes", "IdentityAgent=none", "-F /dev/null"):
        assert word in line
    assert (tmp_path / "key").read_bytes() == key
    assert (tmp_path / "mode").read_text().strip() == "600"
    with reaching(away, mirror.folder) as git:
        assert "PRIVATE" not in " ".join(git.env.values())
