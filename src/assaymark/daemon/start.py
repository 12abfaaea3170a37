"""Starting, finding and ending the daemon from the program.

Guarantees that the starter gets nothing of the daemon: not its time, its terminal, its files or its end. Whether a daemon came up is not
waited for: the next client finds out.
"""

# pathlib would cost milliseconds after every answer.

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress

from assaymark import hookclient
from assaymark.daemon import log
from assaymark.engine.trust import private_folder

LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes, and the socket is made under a longer name."""


def may_serve() -> bool:
    """Whether this user wants a daemon and has a place for its socket."""
    folder = hookclient.socket_folder()
    if not folder or os.environ.get("ASSAYMARK_DAEMON") == "off":
        return False
    return len(os.fsencode(folder)) + 1 + len(hookclient.socket_name()) <= LONGEST_SOCKET_PATH


def running() -> int:
    """Process id of this installation's daemon, 0 when there is none."""
    try:
        lock = os.open(_lock_path(), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        digits = os.read(lock, 20)
        return int(digits) if digits.isdigit() else 0
    except OSError:
        return 0
    finally:
        os.close(lock)
    return 0


def stop() -> bool:
    """Tell the daemon to end; False when there is none."""
    daemon = running()
    if not daemon:
        return False
    try:
        os.kill(daemon, signal.SIGTERM)
    except OSError:
        return False
    return True


def start_detached() -> bool:
    """Start a daemon for the next time, unless there is one or there may be none; True when one was started."""
    if not may_serve() or running() or private_folder(hookclient.socket_folder()):
        return False
    first = os.fork()
    if first == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _become_daemon()
        finally:
            os._exit(0)
    with suppress(ChildProcessError):
        os.waitpid(first, 0)
    return True


def _lock_path() -> str:
    return f"{hookclient.socket_folder()}/{hookclient.socket_name()}.lock"


def _become_daemon() -> None:
    os.umask(0o077)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    file = os.open(f"{hookclient.socket_folder()}/daemon.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    log.trim(file)
    for source, number in ((null, 0), (null, 1), (file, 2)):
        os.dup2(source, number)
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20))
    # A hook's variables (GIT_DIR, GIT_INDEX_FILE) must not stay with a process that serves other repositories.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    program = hookclient.program("assaymark.daemon.__main__")
    os.execve(sys.executable, [sys.executable, "-I", "-c", program], kept)  # noqa: S606 - no shell is what we want
