"""The client in Perl says and does what the client in Python says and does."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.conftest import PACKAGE, Daemon, Wait

from assaymark import hookclient
from assaymark.daemon.protocol import ACCEPTED, DECLINED, ERR, EXIT, OUT, decode, frame
from assaymark.triggers import perl

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not perl.is_usable(), reason="NOT PROVED: no Perl that can be the client"),
]
CLIENTS = ["python", "perl"]


def command(daemon: Daemon, language: str, *arguments: str | bytes) -> list[str | bytes]:
    if language == "python":
        return [sys.executable, "-I", "-S", daemon.ask_script, *arguments]
    script = daemon.ask_script.removesuffix(".py") + ".pl"
    return [str(perl.PERL), "-f", script, sys.executable, "-I", "-c", hookclient.program("assaymark.cli.hook"), *arguments]


def ask(daemon: Daemon, *arguments: str, language: str = "perl", environment: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    ran = subprocess.run(
        command(daemon, language, *arguments),
        env=daemon.environment | (environment or {}),
        cwd=daemon.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


RAN = (0, b"the program ran\n", b"")


class Listener:
    """A daemon that only listens."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(folder / name))
        self._socket.listen()
        self._socket.settimeout(10)

    def accept(self) -> tuple[socket.socket, bytes]:
        link, _ = self._socket.accept()
        link.settimeout(10)
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            data += link.recv(1 << 16)
        return link, data

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(daemon: Daemon) -> Iterator[Listener]:
    made = Listener(daemon.folder, daemon.socket.name)
    yield made
    made.close()


def heard(listener: Listener, words: list[str | bytes], **how: object) -> bytes:
    """What a client sends when it is started so."""
    client = subprocess.Popen(words, stdout=subprocess.PIPE, **how)  # type: ignore[call-overload]
    link, data = listener.accept()
    link.sendall(frame(DECLINED))
    link.close()
    out, _ = client.communicate(timeout=10)
    assert out == b"the program ran\n"
    return data


# --- the request -----------------------------------------------------------------------------------------------------


def test_the_constants_are_those_of_the_client_in_python() -> None:
    text = (PACKAGE / "daemon" / "ask.pl").read_text("utf-8")
    words = dict(re.findall(r"^my \$([A-Z]+) += '?([^;']*)'?;", text, re.MULTILINE))
    assert words["PROTOCOL"] == hookclient.PROTOCOL
    assert float(words["PATIENCE"]) == hookclient.PATIENCE
    assert words["FAMILIES"].encode().split(b"|") == list(hookclient.FAMILIES)
    assert sorted(words["NAMES"].encode().split(b"|")) == sorted(hookclient.NAMES)
    assert "($ACCEPTED, $OUT, $ERR, $EXIT) = (0 .. 3)" in text
    assert (ACCEPTED, OUT, ERR, EXIT) == (0, 1, 2, 3)


WORLDS: dict[str, dict[bytes, bytes]] = {
    "usual": {b"GIT_INDEX_FILE": b".git/index", b"LANG": b"C.UTF-8", b"TERM": b"xterm", b"NOT_LISTED": b"1"},
    "odd values": {b"GIT_AUTHOR_NAME": b"J\xf6rg \xff\xfe\n=x=", b"ASSAYMARK_EMPTY": b"", b"PATH": b"/b\xc3\xa4n:/bin"},
    "odd names": {b"GIT_\xff\n": b"x", b"LC_": b"y", b"HOMES": b"n", b"XHOME": b"n", b"CI\n": b"n", b"GIT": b"n", b"lc_all": b"n"},
    "order": dict.fromkeys((b"TZ", b"CI", b"GIT_b", b"GIT_B", b"GIT_b_", b"XDG_CACHE_HOME", b"USER"), b"1"),
    "unknown locale": {b"LC_ALL": b"xx_YY.UTF-8", b"PERL_BADLANG": b"0"},
    "old locale": {b"LC_CTYPE": b"POSIX", b"LANG": b"de_DE.UTF-8"},
    "empty locale": {b"LC_ALL": b"", b"LC_CTYPE": b"", b"LANG": b"C"},
    "known locale": {b"LC_ALL": b"C.UTF-8"},
    "C": {b"LC_ALL": b"C"},
    "large": {b"ASSAYMARK_LARGE": b"x" * 100_000},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_the_request_is_the_same_byte_for_byte(daemon: Daemon, listener: Listener, world: str, umask: int) -> None:
    env = {os.fsencode(name): os.fsencode(value) for name, value in daemon.environment.items()} | WORLDS[world]
    words = [b"pre-commit", b"a b", b"", "ä".encode(), b"\xff\n"]
    said = [
        heard(listener, command(daemon, language, *words), env=env, cwd=daemon.home, stdin=subprocess.DEVNULL, umask=umask)
        for language in CLIENTS
    ]
    assert said[0] == said[1]
    assert decode(said[1][4:]).umask == umask


def test_the_request_is_the_same_in_a_folder_with_an_odd_name_behind_a_link(daemon: Daemon, listener: Listener) -> None:
    folder = os.fsencode(daemon.home) + b"/f\xff \n(deleted)"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    link = daemon.home / "link"
    os.symlink(folder, link)  # noqa: PTH211
    env = daemon.environment | {"PWD": str(link)}
    said = [heard(listener, command(daemon, language, "pre-commit"), env=env, cwd=link) for language in CLIENTS]
    assert said[0] == said[1]
    assert os.fsencode(decode(said[1][4:]).cwd) == folder


def test_the_request_says_the_same_of_terminals(daemon: Daemon, listener: Listener) -> None:
    master, terminal = pty.openpty()
    said = [
        heard(listener, command(daemon, language, "pre-commit"), env=daemon.environment, cwd=daemon.home, stdin=terminal, stderr=terminal)
        for language in CLIENTS
    ]
    os.close(terminal)
    os.close(master)
    assert said[0] == said[1]
    assert decode(said[1][4:]).terminals == (True, False, True)


@pytest.mark.parametrize(
    ("variables", "place"),
    [({"XDG_RUNTIME_DIR": "relative"}, ".cache/assaymark/run"), ({"XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": "{}/c"}, "c/assaymark/run")],
)
def test_the_socket_is_looked_for_at_the_same_place(daemon: Daemon, variables: dict[str, str], place: str) -> None:
    made = Listener(daemon.home / place, daemon.socket.name)
    env = daemon.environment | {name: value.format(daemon.home) for name, value in variables.items()}
    said = [heard(made, command(daemon, language, "x"), env=env, cwd=daemon.home) for language in CLIENTS]
    made.close()
    assert said[0] == said[1]


# --- the answer ------------------------------------------------------------------------------------------------------


def test_the_daemon_answers_it(daemon: Daemon) -> None:
    daemon.start()
    assert ask(daemon, "who") == (0, b"True True\n", b"")
    assert ask(daemon, "stdin") == (0, b"", b"")
    assert [ask(daemon, "exit", str(code))[0] for code in (0, 1, 5, 75, 255)] == [0, 1, 5, 75, 255]
    code, out, err = ask(daemon, "big")
    assert (code, len(out), len(err)) == (0, 3_000_000, 100_000)
    folder = str(daemon.home)
    said = ask(daemon, "env", environment={"GIT_INDEX_FILE": "/x/index", "NOT_LISTED": "1"})[1]
    assert said.decode() == f"{folder} {folder} /x/index None ['assay', 'env']\n"


def test_the_clients_umask_holds(daemon: Daemon) -> None:
    daemon.start()
    before = os.umask(0o027)
    try:
        ask(daemon, "umask", str(daemon.home / "made"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((daemon.home / "made").stat().st_mode) == 0o640


def test_a_child_that_dies_before_it_prints_makes_the_program_run_and_later_does_not(daemon: Daemon) -> None:
    daemon.start()
    assert ask(daemon, "crash") == RAN
    assert ask(daemon, "raise") == RAN
    assert ask(daemon, "crash-late") == ask(daemon, "crash-late", language="python")
    assert ask(daemon, "crash-late")[0] == 4


def test_without_a_daemon_the_program_runs(daemon: Daemon) -> None:
    assert ask(daemon, "exit", "3") == RAN
    daemon.start()
    assert ask(daemon, "exit", "3", environment={"ASSAYMARK_DAEMON": "off"}) == RAN
    daemon.process.kill()
    daemon.process.communicate(timeout=10)
    assert daemon.socket.exists()
    assert ask(daemon, "exit", "3") == RAN


def test_a_folder_that_others_may_use_is_not_asked(daemon: Daemon, listener: Listener) -> None:
    daemon.folder.chmod(0o750)
    assert ask(daemon, "exit", "3") == RAN
    listener._socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        listener.accept()
    daemon.folder.chmod(0o700)
    daemon.folder.rename(daemon.home / "elsewhere")
    daemon.folder.symlink_to(daemon.home / "elsewhere")
    assert ask(daemon, "exit", "3") == RAN


@pytest.mark.parametrize("language", CLIENTS)
def test_a_daemon_that_does_not_take_the_request_is_waited_for_no_longer_than_agreed(
    daemon: Daemon, listener: Listener, language: str
) -> None:
    began = time.monotonic()
    assert ask(daemon, "exit", "3", language=language) == RAN
    assert hookclient.PATIENCE - 0.1 < time.monotonic() - began < hookclient.PATIENCE + 5
    listener.accept()[0].close()


@pytest.mark.parametrize("language", CLIENTS)
def test_once_taken_the_request_is_waited_for(daemon: Daemon, listener: Listener, language: str) -> None:
    client = subprocess.Popen(command(daemon, language, "x"), env=daemon.environment, cwd=daemon.home, stdout=subprocess.PIPE)
    link, _ = listener.accept()
    link.sendall(frame(ACCEPTED))
    time.sleep(hookclient.PATIENCE + 0.5)
    for byte in frame(OUT, b"said") + frame(EXIT, b"\x05"):
        link.sendall(bytes([byte]))
    assert client.communicate(timeout=10)[0] == b"said"
    assert client.returncode == 5
    link.close()


def test_an_interrupt_ends_it_and_its_child(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    mark = daemon.home / "mark"
    client = subprocess.Popen(command(daemon, "perl", "sleep", str(mark)), env=daemon.environment, cwd=daemon.home)
    wait(lambda: mark.exists() and mark.read_text())
    pid = int(mark.read_text())
    client.send_signal(signal.SIGINT)
    assert client.wait(timeout=10) == 130
    wait(lambda: not Path(f"/proc/{pid}").exists())
    assert (daemon.home / "mark.interrupted").exists()


def test_a_reader_that_has_gone_ends_it(daemon: Daemon) -> None:
    daemon.start()
    client = subprocess.Popen(command(daemon, "perl", "big"), env=daemon.environment, cwd=daemon.home, stdout=subprocess.PIPE)
    assert client.stdout is not None
    client.stdout.close()
    assert client.wait(timeout=10) == 1


def test_a_stream_that_does_not_block_loses_nothing(daemon: Daemon) -> None:
    daemon.start()
    out, theirs = os.pipe()
    os.set_blocking(theirs, False)
    client = subprocess.Popen(
        command(daemon, "perl", "big"), env=daemon.environment, cwd=daemon.home, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    with open(out, "rb") as stream:  # noqa: PTH123
        assert len(stream.read()) == 3_000_000
    assert client.wait(timeout=10) == 0


def test_an_installation_that_has_gone_is_named(daemon: Daemon) -> None:
    words = command(daemon, "perl", "pre-commit")
    words[3] = "/nowhere/python3"
    ran = subprocess.run(words, env=daemon.environment, cwd=daemon.home, capture_output=True, check=False)
    assert ran.returncode == 127
    assert b"/nowhere/python3 cannot be run: No such file" in ran.stderr
    assert b"do this: install the hook again" in ran.stderr


def test_other_perls_are_not_used(tmp_path: Path) -> None:
    old = tmp_path / "perl"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert not perl.is_usable(old)
    assert not perl.is_usable(tmp_path / "nowhere")
