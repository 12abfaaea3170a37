"""rootfs: each instance is a process in a read-only tree of its generation, with a supervisor that survives the deployer.

Guarantees, beside those of the door
* what runs is a copy that was verified against the digest after it was copied; two generations never share one, so that what somebody
  did to the old tree is not in the new one;
* an instance's lock is held from before it is started until nothing of it lives: a deployer that comes after a killed one neither starts
  it twice nor takes a dead one for alive;
* secrets go through a pipe into memory that only the instance sees; neither disk nor command line nor record holds them.

Not here: building or fetching trees; networks of their own (instances listen on the host, each at its own port); seccomp.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from assaymark.deployment.drivers.driver import Capabilities, DriverFailed, Health, Instance, Launch, Observation, Pair, Share, instance_id
from assaymark.deployment.drivers.rootfs import observing, probing, sandbox, supervisor, traffic, trees
from assaymark.deployment.drivers.rootfs.options import Options, Runtime, read
from assaymark.deployment.drivers.rootfs.place import Place, Record, is_held, lock_of, take_away, write
from assaymark.deployment.drivers.rootfs.sandbox import Sought
from assaymark.deployment.drivers.rootfs.traffic import Traffic
from assaymark.model.assessment import Instant

_START_SECONDS = 20.0
_OVER = 3.0
"""Seconds that a supervisor gets on top of what its instance has."""


def opened(options: Mapping[str, str]) -> RootfsDriver:
    """The driver with its settings.

    Raises:
        UsageError: when one is missing or makes no sense.
        EngineMissing: when the runtime is not installed.
    """
    return RootfsDriver(read(options))


class RootfsDriver:
    """See `assaymark.deployment.drivers.driver.Driver`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._edge: Traffic | None = None

    def capabilities(self) -> Capabilities:
        seen = ("digest", "configuration", "changes", "processes", "mounts", "age")
        return Capabilities("rootfs", divides=self._options.has_port, observes=seen)

    # --- instances -------------------------------------------------------------------------------------------------------

    def list(self, pair: Pair) -> Sequence[Instance]:
        place = self._place(pair)
        return tuple(self._instance(place, each) for each in place.records())

    def launch(self, asked: Launch) -> Sequence[Instance]:
        place = self._place(asked.pair)
        place.made()
        with place.locked():
            names = [instance_id(asked.pair, asked.generation, number) for number in range(1, asked.count + 1)]
            missing = [name for name in names if not self._is_there(asked, place, name)]
            try:
                self._start_all(asked, place, missing)
            except BaseException:
                self._swept(place, asked.generation)
                raise
        return tuple(self._instance(place, self._known(place, name)) for name in names)

    def probe(self, pair: Pair, instance: str) -> Health:
        place = self._place(pair)
        record = self._known(place, instance)
        if not self._runs(place, record):
            return Health(ok=False, text=f"it ended{self._ending(place, record)}")
        return probing.probed(self._options, record.address)

    def burn(self, pair: Pair, instance: str) -> None:
        place = self._place(pair)
        folder = place.instance(instance)
        if not folder.exists():
            return
        record = place.record(instance)
        self._end(place, instance)
        take_away(folder)
        if record is not None:
            self._swept(place, record.generation)

    def observe(self, pair: Pair, instance: str) -> Observation:
        place = self._place(pair)
        record = self._known(place, instance)
        return observing.observed(place, record, self._inside(place, record))

    # --- traffic ---------------------------------------------------------------------------------------------------------

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        place = self._place(pair)
        found: dict[int, list[str]] = {}
        for record in place.records():
            if record.address and self._runs(place, record):
                found.setdefault(record.generation, []).append(record.address)
        if not self._options.has_port:
            found = {each.generation: [each.id] for each in place.records() if self._runs(place, each)}
        self._traffic(pair).put(pair, traffic.by_generation(found, shares, pair))

    def serving(self, pair: Pair) -> Sequence[Share]:
        return traffic.shares(self._traffic(pair).served(pair))

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        record = self._place(pair).record(instance)
        if record is None or not record.address:
            return True
        there = self._traffic(pair)
        backends = there.served(pair)
        if any(record.address in each.addresses for each in backends):
            there.put(pair, traffic.without(backends, record.address))
        return there.drained(pair, record.address, seconds)

    def _traffic(self, pair: Pair) -> Traffic:
        if self._options.edge == "none":
            return traffic.opened(self._options, self._place(pair))
        if self._edge is None:
            self._edge = traffic.opened(self._options, self._place(pair))
        return self._edge

    # --- starting --------------------------------------------------------------------------------------------------------

    def _is_there(self, asked: Launch, place: Place, name: str) -> bool:
        """Whether it lives as it was asked for; what ended is taken away, and what is another refuses the launch."""
        folder = place.instance(name)
        record = place.record(name)
        if record is not None and (record.digest, record.configuration) != (asked.digest, asked.configuration.digest):
            raise DriverFailed(f"{name} is there already, and is something else", advice="look at it, and burn it")
        if record is not None and self._runs(place, record) and is_held(folder):
            return True
        if folder.exists():
            self._end(place, name)
            take_away(folder)
        return False

    def _start_all(self, asked: Launch, place: Place, names: Sequence[str]) -> None:
        if not names:
            return
        tree = trees.prepared(asked, place)
        trees.need_points(tree, sandbox.points(asked.configuration, self._options))
        for name in names:
            self._start(asked, place, name, tree)

    def _start(self, asked: Launch, place: Place, name: str, tree: Path) -> None:
        folder = place.instance(name)
        folder.mkdir(0o700)
        lock = lock_of(folder)
        if lock is None:
            raise DriverFailed(f"{name} is being started by somebody else", advice="deploy again")
        try:
            with place.locked("ports"):
                port = self._free_port(place)
                is_root = os.geteuid() == 0
                sought = Sought(name, str(tree), port, asked.configuration, str(place.folder / "runc"), str(folder / "pid"), is_root)
                record = Record(
                    name, asked.generation, asked.digest, asked.configuration.digest, Instant(time.time_ns() // 1000), port,
                    self._options.runtime.value, sandbox.expected(sought, self._options), self._options.data,
                )  # fmt: skip
                write(folder / "instance.json", record)
            _risen(folder, sandbox.order(sought, self._options, lock), lock)
        except BaseException:
            os.close(lock)
            self._end(place, name)
            take_away(folder)
            raise
        os.close(lock)

    def _swept(self, place: Place, generation: int) -> None:
        """A tree that nothing runs in is taken away."""
        if not any(each.generation == generation for each in place.records()):
            take_away(place.generation(generation))

    def _free_port(self, place: Place) -> int:
        if not self._options.has_port:
            return 0
        taken = place.taken_ports()
        for port in self._options.ports:
            if port not in taken and _is_free(port):
                return port
        raise DriverFailed("no port is free", why=f"{len(self._options.ports)} of them are taken", advice="widen the option ports")

    # --- ending ----------------------------------------------------------------------------------------------------------

    def _end(self, place: Place, name: str) -> None:
        """Nothing of it lives when this returns.

        Raises:
            DriverFailed: when it does not end.
        """
        folder = place.instance(name)
        if not _told(place, name, signal.SIGTERM, self._options.stop_seconds + _OVER):
            _told(place, name, signal.SIGKILL, _OVER)
        if (place.folder / "runc" / name).exists():
            self._runc(folder, "delete", "--force", name)
        if not _freed(folder, _OVER):
            raise DriverFailed(f"{folder.name} does not end", why="somebody still holds its lock", advice=f"fuser -v {folder}/lock")

    # --- what is -----------------------------------------------------------------------------------------------------------

    def _place(self, pair: Pair) -> Place:
        return Place(self._options.state, pair)

    def _known(self, place: Place, name: str) -> Record:
        record = place.record(name)
        if record is None:
            raise DriverFailed(f"{name} is not there")
        return record

    def _instance(self, place: Place, record: Record) -> Instance:
        running = self._runs(place, record)
        address = record.address if running else ""
        return Instance(record.id, record.generation, record.digest, record.configuration, record.born, address, running)

    def _runs(self, place: Place, record: Record) -> bool:
        folder = place.instance(record.id)
        if is_held(folder):
            return not (folder / "exit.json").exists()
        return record.runtime == Runtime.RUNC and self._container(place, record) is not None

    def _ending(self, place: Place, record: Record) -> str:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return f" with {json.loads((place.instance(record.id) / 'exit.json').read_bytes())['code']}"
        return ""

    def _inside(self, place: Place, record: Record) -> int | None:
        """A process of it: the first one in its own space."""
        if not self._runs(place, record):
            return None
        if record.runtime == Runtime.RUNC:
            return self._container(place, record)
        stands = place.supervisor(record.id)
        outer = supervisor.children(stands.pid) if stands is not None else ()
        return next((inner for each in outer for inner in supervisor.children(each)), None)

    def _container(self, place: Place, record: Record) -> int | None:
        said = self._runc(place.instance(record.id), "state", record.id)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = json.loads(said)
            return int(found["pid"]) if found["status"] == "running" else None
        return None

    def _runc(self, folder: Path, *words: str) -> bytes:
        program = shutil.which("runc") or "runc"
        command = [program, "--root", str(folder.parent.parent / "runc"), *words]
        try:
            return subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=30).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DriverFailed(f"runc {words[0]} does not do it", why=str(error)) from error


# --- supervisors -----------------------------------------------------------------------------------------------------


def _risen(folder: Path, order: Mapping[str, object], lock: int) -> None:
    """A supervisor has its order, and the instance runs; both hold the lock from now on.

    Raises:
        DriverFailed: when it does not start.
    """
    program = [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), str(folder)]
    try:
        made = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[lock], start_new_session=True,
            cwd="/", env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except OSError as error:
        raise DriverFailed("no supervisor can be started", why=error.strerror or str(error)) from error
    with made:
        said = _said(made, json.dumps(order).encode())
    if said != b"ok\n":
        why = said.decode("utf-8", "replace").strip()[-500:] or "its supervisor says nothing"
        raise DriverFailed(f"{folder.name} did not start", why="".join(each if each.isprintable() else " " for each in why))


def _said(made: subprocess.Popen[bytes], order: bytes) -> bytes:
    """Its answer; it goes its own way then, and what was started ends."""
    assert made.stdin is not None  # noqa: S101 - both were asked for
    assert made.stdout is not None  # noqa: S101
    with contextlib.suppress(BrokenPipeError):
        made.stdin.write(order)
        made.stdin.close()
    said, ends = b"", time.monotonic() + _START_SECONDS
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([made.stdout], [], [], max(0.0, ends - time.monotonic()))
        piece = os.read(made.stdout.fileno(), 4096) if ready else b""
        if not piece:
            break
        said += piece
    if not said:
        made.kill()
    return said


def _began(pid: int) -> int:
    """When a process began, in ticks; 0: it is not there."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _told(place: Place, name: str, number: signal.Signals, seconds: float) -> bool:
    """Whether nothing of it lives any more, within seconds of a signal to its supervisor, and to no other process of that number."""
    folder, ends, done = place.instance(name), time.monotonic() + seconds, False
    while is_held(folder):
        stands = None if done else place.supervisor(name)
        if stands is not None and _began(stands.pid) == stands.began != 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stands.pid, number)
            done = True
        if time.monotonic() >= ends:
            return False
        time.sleep(0.02)
    return True


def _freed(folder: Path, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while is_held(folder):
        if time.monotonic() >= ends:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
