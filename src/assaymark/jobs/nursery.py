"""The process that runners are forked from.

A worker must not fork by itself: a connection to SQLite that is open at a fork breaks the locks of the file for the child, and one to
PostgreSQL would be shared. So the nursery is forked before the worker opens anything. It imports and prepares what is slow, opens nothing,
has no threads, and forks a runner within milliseconds whenever one is asked for. It ends with its worker, and ends its runners with it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress

from assaymark.jobs import runner
from assaymark.jobs.frames import Begin, Begun, Broken, Control, Ended, Kill, packed, unpacked
from assaymark.jobs.runner import Trade

_MOST = 1 << 16
_PATIENCE = 1.0
"""Seconds for a nursery that was told to end."""


class Nursery:
    """The worker's end. Make it first of all: before threads, databases and the worker's own signals.

    Raises:
        OSError: when the system starts no further process.
    """

    def __init__(self, trade: Trade) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, self._life = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _live(trade, theirs, lifeline)
        finally:
            theirs.close()
            os.close(lifeline)
        self._control.setblocking(False)

    def fileno(self) -> int:
        return self._control.fileno()

    def begin(self, number: int, link: socket.socket, output: int, niceness: int) -> None:
        """Ask for a runner; raises `Broken` when the nursery is gone."""
        self._send(packed(Begin(number, niceness)), [link.fileno(), output])

    def kill(self, number: int) -> None:
        """End a runner that does not end by itself; raises `Broken` when the nursery is gone."""
        self._send(packed(Kill(number)), [])

    def _send(self, data: bytes, files: list[int]) -> None:
        self._control.setblocking(True)
        try:
            socket.send_fds(self._control, [data], files)
        except OSError as error:
            raise Broken("the nursery is gone") from error
        finally:
            self._control.setblocking(False)

    def messages(self) -> list[Control]:
        """What it told, without waiting; raises `Broken` when it is gone."""
        found: list[Control] = []
        while True:
            try:
                data = self._control.recv(_MOST)
            except BlockingIOError:
                return found
            except OSError as error:
                raise Broken("the nursery is gone") from error
            if not data:
                if found:
                    return found
                raise Broken("the nursery is gone")
            found.append(unpacked(data))

    def close(self) -> None:
        """End it, with every runner that there is, and wait for it."""
        self._control.close()
        end = time.monotonic() + _PATIENCE
        while self._is_there():
            if time.monotonic() > end:  # it is still preparing
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.005)
        os.close(self._life)  # whoever is left is ended by the kernel

    def _is_there(self) -> bool:
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False


# --- the nursery's end -----------------------------------------------------------------------------------------------


def _live(trade: Trade, control: socket.socket, lifeline: int) -> None:
    """Never returns."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(2, 1)
        runner.close_all_but(control.fileno(), lifeline)
        try:
            trade.warm()
        except Exception as error:  # noqa: BLE001 - what fails here fails again in a job, whose list tells why
            traceback.print_exception(error)
        gc.collect()
        gc.freeze()
        _Household(trade, control, lifeline).keep()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the top of this process
        traceback.print_exception(error)
    finally:
        os._exit(status)


class _Household:
    def __init__(self, trade: Trade, control: socket.socket, lifeline: int) -> None:
        self._trade, self._control, self._lifeline = trade, control, lifeline
        self._pids: dict[int, int] = {}
        """Runner's number -> its process; only those that were not reaped, so that no number of a process is used again meanwhile."""
        self._wake, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)

    def keep(self) -> None:
        """Until the worker hangs up."""
        while True:
            ready = select.select([self._control.fileno(), self._wake], [], [])[0]
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            self._reap()
            if self._control.fileno() in ready and not self._obey():
                for pid in self._pids.values():
                    _kill(pid)
                return

    def _obey(self) -> bool:
        data, files, _, _ = socket.recv_fds(self._control, _MOST, 2)
        if not data:
            return False
        message = unpacked(data)
        if isinstance(message, Begin):
            self._begin(message, files)
        elif isinstance(message, Kill) and message.number in self._pids:
            _kill(self._pids[message.number])
        return True

    def _begin(self, message: Begin, files: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            _run(self._trade, (*files, self._lifeline), message.niceness)
        for file in files:
            os.close(file)
        if pid == -1:
            self._tell(Ended(message.number, 1 << 8))
            return
        self._pids[message.number] = pid
        self._tell(Begun(message.number, pid))

    def _reap(self) -> None:
        while self._pids:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            numbers = [number for number, pid in self._pids.items() if pid == found.si_pid]
            if numbers:
                _kill_group(found.si_pid)  # what it started and left behind, while the number is still its own
            status = os.waitpid(found.si_pid, 0)[1]
            for number in numbers:
                del self._pids[number]
                self._tell(Ended(number, status))

    def _tell(self, message: Begun | Ended) -> None:
        with suppress(OSError):  # the worker is gone, which the next turn sees
            self._control.send(packed(message))


def _run(trade: Trade, files: tuple[int, ...], niceness: int) -> None:
    """Never returns."""
    status = 1
    try:
        link, output, lifeline = files
        own = socket.socket(fileno=link)
        runner.become(own, output, lifeline, niceness)
        runner.serve(trade, own)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the top of this process
        traceback.print_exception(error)
    finally:
        os._exit(status)


def _kill(pid: int) -> None:
    _kill_group(pid)
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _nothing(_signal: int, _frame: object) -> None:
    """Only wakes."""
