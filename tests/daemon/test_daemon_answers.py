from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from tests.daemon.conftest import Daemon, Wait

from assaymark import hookclient
from assaymark.daemon import start
from assaymark.daemon.protocol import ACCEPTED, EXIT, OtherVersion, decode, frame

pytestmark = pytest.mark.timeout(60)


def connect(daemon: Daemon) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(10)
    for _ in range(1000):
        try:
            link.connect(str(daemon.socket))
        except BlockingIOError:  # the queue of connections is full for a moment
            time.sleep(0.005)
        else:
            break
    return link


def the_program_ran(answer: tuple[int, bytes, bytes]) -> bool:
    """Without a daemon the client becomes `assaymark.cli.hook`; the installation of these tests has one that only says so."""
    return answer == (0, b"the program ran\n", b"")


def test_a_request_runs_in_a_fresh_child_of_the_warm_process(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.ask("who") == (0, b"True True\n", b"")


def test_the_handler_sees_the_clients_world_and_only_listed_variables(daemon: Daemon) -> None:
    daemon.start()
    code, out, _ = daemon.ask(
        "env",
        "ä \udcff".encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"),
        environment={"GIT_INDEX_FILE": "/x/index", "NOT_LISTED": "1"},
    )
    folder = str(daemon.home)
    assert code == 0
    assert out.decode().startswith(f"{folder} {folder} /x/index None ['assay', 'env', 'ä \\udcff']")


def test_standard_input_is_the_clients_own(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.ask("stdin", stdin=b"refs/heads/main") == (0, b"niam/sdaeh/sfer", b"")


def test_large_output_arrives_whole_on_the_right_stream(daemon: Daemon) -> None:
    daemon.start()
    code, out, err = daemon.ask("big")
    assert (code, len(out), len(err)) == (0, 3_000_000, 100_000)


@pytest.mark.parametrize(("how", "code"), [("exit", 0), ("exit", 1), ("exit", 5), ("exit", 75), ("system-exit", 2)])
def test_the_exit_code_comes_back(daemon: Daemon, how: str, code: int) -> None:
    daemon.start()
    assert daemon.ask(how, str(code))[0] == code


def test_the_clients_umask_holds(daemon: Daemon) -> None:
    daemon.start()
    before = os.umask(0o027)
    try:
        daemon.ask("umask", str(daemon.home / "made"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((daemon.home / "made").stat().st_mode) == 0o640


def test_one_request_leaves_nothing_for_the_next(daemon: Daemon) -> None:
    daemon.start()
    daemon.ask("leave")
    assert daemon.ask("left")[1] == f"None 1 {daemon.home}\n".encode()


def test_a_child_that_dies_silently_makes_the_client_run_the_program(daemon: Daemon) -> None:
    daemon.start()
    assert the_program_ran(daemon.ask("crash"))
    assert the_program_ran(daemon.ask("raise"))
    assert daemon.ask("exit", "3")[0] == 3


def test_a_child_that_dies_after_printing_is_not_repeated(daemon: Daemon) -> None:
    daemon.start()
    code, out, err = daemon.ask("crash-late")
    assert (code, out) == (4, b"half an ans")
    assert b"run the command again" in err


def test_the_log_names_the_failure_but_not_its_text(daemon: Daemon) -> None:
    daemon.start()
    daemon.ask("raise")
    daemon.process.terminate()
    _, log = daemon.process.communicate(timeout=10)
    assert b"RuntimeError" in log
    assert b"hunter2" not in log


def test_a_client_that_leaves_interrupts_its_child(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    mark = daemon.home / "mark"
    client = daemon.client("sleep", str(mark))
    wait(lambda: mark.exists() and mark.read_text())
    pid = int(mark.read_text())
    client.send_signal(signal.SIGINT)
    client.communicate(timeout=10)
    assert client.returncode == 130
    wait(lambda: not Path(f"/proc/{pid}").exists())
    assert (daemon.home / "mark.interrupted").exists()


def test_requests_run_side_by_side(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    slow = [daemon.client("sleep", str(daemon.home / f"m{number}")) for number in range(3)]
    wait(lambda: all((daemon.home / f"m{number}").exists() for number in range(3)))
    assert daemon.ask("exit", "0")[0] == 0
    for client in slow:
        client.kill()
        client.communicate(timeout=10)


def test_too_many_requests_are_declined_so_that_clients_help_themselves(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    slow = [daemon.client("sleep", str(daemon.home / f"m{number}")) for number in range(8)]
    wait(lambda: all((daemon.home / f"m{number}").exists() for number in range(8)), seconds=20)
    assert the_program_ran(daemon.ask("exit", "0"))
    for client in slow:
        client.kill()
        client.communicate(timeout=10)
    wait(lambda: daemon.ask("exit", "0")[0] == 0)


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\0", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 9000, b"\0\0\0\0", b"\0\0\0\x05hello", b"\0\0\0\x05hello and more"],
    ids=["nothing", "half-a-length", "http", "endless", "empty", "other-words", "too-much"],
)
def test_nonsense_does_not_hold_the_daemon_up(daemon: Daemon, nonsense: bytes) -> None:
    daemon.start()
    link = connect(daemon)
    link.sendall(nonsense)
    assert daemon.ask("exit", "7")[0] == 7
    link.close()
    assert daemon.ask("exit", "7")[0] == 7


def test_slow_loris_is_shown_the_door(daemon: Daemon) -> None:
    daemon.start()
    link = connect(daemon)
    link.sendall(hookclient.request(["exit", "0"])[:20])
    link.settimeout(8)
    assert link.recv(1) == b""
    link.close()


def test_forty_open_connections_do_not_block_a_client_for_long(daemon: Daemon) -> None:
    daemon.start()
    links = [connect(daemon) for _ in range(40)]
    code = daemon.ask("exit", "0")[0]
    for link in links:
        link.close()
    assert code != 4
    assert daemon.ask("exit", "9")[0] == 9


def test_a_client_that_talks_on_after_its_request_is_cut_off(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    mark = daemon.home / "mark"
    link = connect(daemon)
    link.sendall(hookclient.request(["sleep", str(mark)]))
    wait(lambda: mark.exists() and mark.read_text())
    link.sendall(b"and another thing")
    wait(lambda: not Path(f"/proc/{mark.read_text()}").exists())
    link.close()


def test_the_daemon_keeps_neither_zombies_nor_files(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    files = Path(f"/proc/{daemon.process.pid}/fd")
    daemon.ask("exit", "0")
    wait(lambda: len(children(daemon)) == 1)  # the one that waits for the next request
    before = len(list(files.iterdir()))
    for _ in range(5):
        daemon.ask("stdin", stdin=b"x")
        daemon.ask("crash")
    wait(lambda: len(list(files.iterdir())) <= before)
    wait(lambda: len(children(daemon)) == 1)


def test_a_child_holds_none_of_the_daemons_files(daemon: Daemon) -> None:
    daemon.start()
    # three streams, the socket, the channel through which it learns that it may speak, and the folder being listed
    assert int(daemon.ask("fds")[1]) <= 6


def test_a_daemon_that_answers_and_hangs_up_at_once_is_no_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Quick:
        """The answer lies there, and the other end is gone, when `sendmsg` returns."""

        answer: ClassVar = [frame(ACCEPTED) + frame(EXIT, b"\x07"), b""]

        def __init__(self, *_: object) -> None: ...

        def settimeout(self, seconds: float | None) -> None: ...

        def connect(self, path: str) -> None: ...

        def close(self) -> None: ...

        def sendmsg(self, parts: list[bytes], files: object) -> int:
            return sum(map(len, parts))

        def sendall(self, data: bytes) -> None:
            raise BrokenPipeError

        def recv(self, size: int) -> bytes:
            return self.answer.pop(0)

    monkeypatch.setattr("_socket.socket", Quick)
    assert hookclient.ask("/nowhere", b"\0\0\0\1x") == 7


# --- the child that waits for its request ----------------------------------------------------------------------------


def children(daemon: Daemon) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()]


def test_a_request_is_answered_by_the_child_that_waited(daemon: Daemon, wait: Wait, tmp_path: Path) -> None:
    daemon.start()
    wait(lambda: len(children(daemon)) == 1)
    (waiting,) = children(daemon)
    client = daemon.client("sleep", str(tmp_path / "began"))
    wait(lambda: (tmp_path / "began").exists() and (tmp_path / "began").read_text())
    assert int((tmp_path / "began").read_text()) == waiting
    assert daemon.ask("who")[1] == b"True True\n"  # a second one has a child of its own meanwhile
    client.kill()
    client.communicate()


def test_a_waiting_child_that_was_killed_costs_nothing_but_time(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    killed: list[int] = []

    def one_waits() -> bool:
        alive = [pid for pid in children(daemon) if pid not in killed]
        if len(alive) == 1:
            os.kill(alive[0], signal.SIGKILL)
            killed.extend(alive)
        return len(alive) == 1

    for _ in range(3):
        wait(one_waits)
        assert daemon.ask("stdin", stdin=b"abc")[1] == b"cba"


def test_a_waiting_child_ends_with_a_daemon_that_was_killed(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    wait(lambda: len(children(daemon)) == 1)
    (waiting,) = children(daemon)
    daemon.process.kill()
    wait(lambda: not Path(f"/proc/{waiting}").exists())


def test_a_request_too_large_for_the_waiting_child_is_answered_as_well(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    wait(lambda: len(children(daemon)) == 1)
    assert daemon.ask("stdin", stdin=b"abc", environment={"ASSAYMARK_LARGE": "x" * 100_000})[1] == b"cba"
    assert daemon.ask("exit", "3")[0] == 3


# --- its life --------------------------------------------------------------------------------------------------------


def test_the_socket_is_for_its_user_alone(daemon: Daemon) -> None:
    daemon.start()
    assert stat.S_IMODE(daemon.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600


def test_a_folder_that_others_may_write_is_used_by_nobody(daemon: Daemon) -> None:
    daemon.folder.mkdir(mode=0o700)
    daemon.folder.chmod(0o777)
    process = daemon.launch()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert b"can be written by other users" in err
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(daemon.socket))
    listener.listen()
    assert the_program_ran(daemon.ask("exit", "0"))  # a stranger's socket in a loose folder is not even asked
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def test_of_two_starters_one_serves(daemon: Daemon) -> None:
    daemon.start()
    second = daemon.launch()
    second.communicate(timeout=10)
    assert second.returncode == 0
    assert daemon.process.poll() is None
    assert daemon.ask("exit", "6")[0] == 6


def test_a_socket_of_a_killed_daemon_is_no_obstacle(daemon: Daemon) -> None:
    daemon.start()
    daemon.process.kill()
    daemon.process.communicate(timeout=10)
    assert daemon.socket.exists()
    assert the_program_ran(daemon.ask("exit", "0"))
    daemon.start()
    assert daemon.ask("exit", "6")[0] == 6


def test_it_ends_when_idle(daemon: Daemon) -> None:
    daemon.start(idle=0.3)
    assert daemon.process.wait(timeout=10) == 0
    assert not daemon.socket.exists()


def test_it_ends_on_sigterm_and_takes_its_children_along(daemon: Daemon, wait: Wait) -> None:
    daemon.start()
    mark = daemon.home / "mark"
    client = daemon.client("sleep", str(mark))
    wait(lambda: mark.exists() and mark.read_text())
    daemon.process.terminate()
    assert daemon.process.wait(timeout=10) == 0
    assert not daemon.socket.exists()
    assert not Path(f"/proc/{mark.read_text()}").exists()
    client.communicate(timeout=10)


def test_other_code_is_declined_and_ends_the_daemon(daemon: Daemon) -> None:
    daemon.start()
    link = connect(daemon)
    request = hookclient.request(["exit", "0"]).replace(hookclient.stamp().encode(), hookclient.stamp().encode()[::-1])
    link.sendall(request)
    assert link.recv(5)[:1] == bytes([hookclient.DECLINED])
    link.close()
    assert daemon.process.wait(timeout=10) == 0
    assert not daemon.socket.exists()


def test_another_protocol_is_declined_and_ends_the_daemon(daemon: Daemon) -> None:
    daemon.start()
    link = connect(daemon)
    link.sendall(hookclient.request(["exit", "0"]).replace(b"assay/1", b"assay/2"))
    assert link.recv(5)[:1] == bytes([hookclient.DECLINED])
    link.close()
    assert daemon.process.wait(timeout=10) == 0


def test_an_edited_module_ends_the_daemon(daemon: Daemon) -> None:
    daemon.start()
    (daemon.package / "errors.py").write_text("# edited")
    assert the_program_ran(daemon.ask("exit", "0"))
    assert daemon.process.wait(timeout=10) == 0


def test_without_a_daemon_the_program_runs_with_the_same_words(daemon: Daemon) -> None:
    (daemon.package / "cli" / "hook.py").write_text("import sys\ndef main(): print(sys.argv[1:], sys.stdin.read()); return 5")
    assert daemon.ask("a b", "", "c", stdin=b"refs") == (5, b"['a b', '', 'c'] refs\n", b"")


def test_off_means_off(daemon: Daemon) -> None:
    daemon.start()
    assert the_program_ran(daemon.ask("exit", "0", environment={"ASSAYMARK_DAEMON": "off"}))


def test_running_and_stop_tell_and_end_it(daemon: Daemon) -> None:
    assert start.running() == 0
    assert not start.stop()
    daemon.start()
    assert start.running() == daemon.process.pid
    assert start.stop()
    assert daemon.process.wait(timeout=10) == 0


# --- the words -------------------------------------------------------------------------------------------------------


def test_a_request_says_what_the_client_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["check", "", "a=b", "naïve", "\udcff"]
    request = decode(hookclient.request(words)[4:])
    assert request.argv == tuple(words)
    assert request.cwd == str(tmp_path)
    assert request.stamp == hookclient.stamp()
    assert request.terminals == tuple(os.isatty(number) for number in (0, 1, 2))


def test_a_request_of_another_version_is_told_apart_from_noise() -> None:
    with pytest.raises(OtherVersion):
        decode(b"assay/9\0whatever")
    with pytest.raises(ValueError, match="not this protocol"):
        decode(b"noise")


# --- started on demand -----------------------------------------------------------------------------------------------

STARTING = """
import sys, os
sys.path[:0] = [{source!r}]
sys.path.append({site!r})
from assaymark.daemon import start
print(start.start_detached(), flush=True)
"""


def start_on_demand(daemon: Daemon, **environment: str) -> str:
    site = next(path for path in sys.path if path.endswith("site-packages"))
    program = STARTING.format(source=str(daemon.home / "src"), site=site)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], env=daemon.environment | environment, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def test_it_is_started_detached_and_answers_the_next_client(daemon: Daemon, wait: Wait) -> None:
    shutil.copy(daemon.home / "toy_handler.py", daemon.package / "cli" / "hook.py")
    (daemon.package / "cli" / "__init__.py").touch()
    assert start_on_demand(daemon, GIT_DIR="/elsewhere") == "True"  # returned although the daemon lives on: it holds none of our pipes
    wait(daemon.socket.exists)
    pid = start.running()
    try:
        assert daemon.ask("who") == (0, b"True True\n", b"")
        assert b"GIT_DIR" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert Path(f"/proc/{pid}/fd/2").resolve() == daemon.folder / "daemon.log"
        assert os.getsid(pid) != os.getsid(0)
        assert start_on_demand(daemon) == "False"
    finally:
        start.stop()
        wait(lambda: not start.running())


def test_nothing_is_started_where_it_is_not_wanted_or_has_no_place(daemon: Daemon) -> None:
    assert start_on_demand(daemon, ASSAYMARK_DAEMON="off") == "False"
    assert start_on_demand(daemon, XDG_RUNTIME_DIR="/" + "long" * 30) == "False"
    daemon.folder.mkdir()
    daemon.folder.chmod(0o770)
    assert start_on_demand(daemon) == "False"
    assert not start.running()
