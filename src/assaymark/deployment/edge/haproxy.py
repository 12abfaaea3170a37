"""HAProxy as the edge: its own process, told by its runtime API, without a reload for an exchange.

Guarantees
* each route has two sides, and one number in a map says how much goes to the first: a side is prepared while nothing goes to it, and
  exchanging that number is the one act by which somebody else serves; there is no instant with nobody, or with half of a change;
* what is told is written into the folder's files before (``haproxy.cfg``, ``shares.map``), so that a killed HAProxy rises with it;
* what is answered (`routes`) is what HAProxy itself says it does.

Not here: more than two generations of a route at once, more than `SLOTS` instances of one; shares are by chance, not by turns. A new route
needs a reload, at which HAProxy hands its listening sockets over.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.control import connected
from assaymark.deployment.edge.haproxy_sides import MAP, NOBODY, NOTE, SIDES, SOCKET, Held, Side, configuration, planned
from assaymark.deployment.edge.table import Backend, Mode, Route, Table, boot, checked, split, write_whole
from assaymark.errors import EngineMissing, UsageError

_CONFIGURATION, _PID, _LOG, _BOOT = "haproxy.cfg", "haproxy.pid", "haproxy.log", "boot"
_SECONDS = 20.0
_AGAIN_SECONDS = 1.0
_MAINTENANCE = 0x01
"""Bit of the administrative state that ``set server … state maint`` sets."""


class HaproxyEdge:
    """The HAProxy of a folder.

    Every method raises:
        DriverFailed: when it does not answer, or refuses.
    """

    def __init__(self, folder: Path, *, seconds: float = 10.0) -> None:
        self._folder, self._seconds = folder, seconds

    def alive(self) -> bool:
        try:
            self.ask("show info")
        except DriverFailed:
            return False
        return True

    def routes(self) -> Sequence[Route]:
        return tuple(route for name in self.written() if (route := self.route(name)) is not None)

    def route(self, name: str) -> Route | None:
        route = self.written().get(name)
        held = self._held(name) if route is not None else None
        return _as_route(route, held) if route is not None and held is not None else None

    def put(self, route: Route) -> None:
        try:
            checked(Table(routes=(route,)))
        except UsageError as error:
            raise DriverFailed("the edge refuses", why=error.diagnosis()) from error
        with self._alone():
            known = self.written()
            before = known.get(route.name)
            held = self._held(route.name) if before is not None else None
            wanted = planned(route, held or Held(NOBODY))
            new = before is None or held is None or (before.listen, before.mode) != (route.listen, route.mode)
            if any(each.listen == route.listen for each in known.values() if each.name != route.name):
                raise DriverFailed("the edge refuses", why=f"two routes have the address {route.listen}")
            self._write(known | {route.name: route}, {route.name: wanted})
            if new:
                self._reload(route.name)
            else:
                self._exchange(route.name, held or Held(NOBODY), wanted)
            told = self.route(route.name)
            if told is None or _meaning(told) != _meaning(route):
                raise DriverFailed("HAProxy does not do what it was told", why=f"route {route.name} is {told}")

    def take_away(self, name: str) -> None:
        with self._alone():
            known = self.written()
            if known.pop(name, None) is not None:
                self._write(known, {})
                self._reload("")

    def begun(self, route: str, address: str) -> int:
        slots = {f"{route}-{side}/{slot}": at for side in SIDES for slot, (at, _) in self._servers(f"{route}-{side}").items()}
        return sum(count for name, count in self._sessions().items() if slots.get(name) == address)

    def wait(self, route: str, address: str, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self.begun(route, address):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    # --- what it is told -------------------------------------------------------------------------------------------------

    def _exchange(self, name: str, held: Held, wanted: Held) -> None:
        for side in SIDES:
            if wanted.percent(side):
                self._prepare(name, side, held, wanted.side(side))
        self._do(f"set map {MAP} {name} {wanted.share}")
        for side in SIDES:
            if not wanted.percent(side):
                for slot in self._servers(f"{name}-{side}"):
                    self._do(f"set server {name}-{side}/{slot} state maint")

    def _prepare(self, name: str, side: str, held: Held, wanted: Side) -> None:
        """Its servers are those that are wanted; where it serves already, those that stay are not touched."""
        there = self._servers(f"{name}-{side}")
        serving = {at: slot for slot, (at, ready) in there.items() if ready and held.percent(side)}
        free = [slot for slot in there if slot not in {serving.get(at) for at in wanted.addresses}]
        used = {serving[at] for at in wanted.addresses if at in serving}
        for at in wanted.addresses:
            if at in serving:
                continue
            slot = free.pop(0)
            host, port = split(at)
            self._do(f"set server {name}-{side}/{slot} addr {host} port {port}")
            self._do(f"set server {name}-{side}/{slot} state ready")
            used.add(slot)
        for slot in there:
            if slot not in used:
                self._do(f"set server {name}-{side}/{slot} state maint")
        self._do(f"set map {MAP} {name}-{side} {wanted.generation}")

    def _reload(self, name: str) -> None:
        """The same process reads its files anew; listening sockets stay open meanwhile."""
        before = self._worker()
        until, again = time.monotonic() + _SECONDS, 0.0
        while time.monotonic() < until:
            if time.monotonic() > again:  # one that comes while the last reload is still ending is lost
                os.kill(self._master(), signal.SIGUSR2)
                again = time.monotonic() + _AGAIN_SECONDS
            with suppress(DriverFailed):
                if self._worker() != before and (not name or self._held(name) is not None):
                    return
            time.sleep(0.02)
        raise DriverFailed("HAProxy does not take its new routes", why=_last_words(self._folder))

    def _master(self) -> int:
        try:
            return int((self._folder / _PID).read_text().split()[0])
        except (OSError, ValueError, IndexError) as error:
            why = f"{self._folder / _PID} does not say it: {error}"
            raise DriverFailed("nobody knows which process HAProxy is", why=why, advice="start it with -W and -p") from error

    def _worker(self) -> str:
        return next((line for line in self.ask("show info").splitlines() if line.startswith("Pid:")), "")

    def _do(self, command: str) -> None:
        said = self.ask(command).strip()
        # What it did, it tells in words that differ; what it did not do, in these.
        if any(each in said.lower() for each in ("no such", "unknown", "invalid", "require", "not found", "can't", "unable", "denied")):
            raise DriverFailed("HAProxy refuses", why=f"{command}: {said[:300]}")

    def ask(self, command: str) -> str:
        """One command of the runtime API, and what it answers."""
        try:
            with connected(self._folder, SOCKET) as there:
                there.settimeout(self._seconds)
                there.sendall(f"{command}\n".encode())
                there.shutdown(socket.SHUT_WR)
                found = b""
                while piece := there.recv(1 << 16):
                    found += piece
        except OSError as error:
            advice = f"start it in its folder: haproxy -W -p {_PID} -f {_CONFIGURATION}"
            raise DriverFailed(f"the HAProxy of {self._folder} does not answer", why=str(error), advice=advice) from error
        return found.decode(errors="replace")

    # --- what it says ----------------------------------------------------------------------------------------------------

    def _held(self, name: str) -> Held | None:
        shares = dict(line.split()[1:3] for line in self.ask(f"show map {MAP}").splitlines() if len(line.split()) == 3)
        if name not in shares:
            return None
        sides = []
        for side in SIDES:
            ready = tuple(sorted(at for at, able in self._servers(f"{name}-{side}").values() if able))
            sides.append(Side(int(shares.get(f"{name}-{side}", "0")), ready))
        return Held(int(shares[name]), *sides)

    def _servers(self, backend: str) -> Mapping[str, tuple[str, bool]]:
        """Slot to address, and whether it is ready."""
        said = self.ask(f"show servers state {backend}").splitlines()
        names = next((line.removeprefix("# ").split() for line in said if line.startswith("# ")), None)
        if names is None:
            raise DriverFailed("HAProxy does not know the route", why=f"{backend}: {' '.join(said)[:200]}")
        found = {}
        for line in said:
            fields = dict(zip(names, line.split(), strict=False))
            if fields.get("be_name") == backend:
                host, port = fields["srv_addr"], fields["srv_port"]
                at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                found[fields["srv_name"]] = (at, not int(fields["srv_admin_state"]) & _MAINTENANCE)
        return found

    def _sessions(self) -> Mapping[str, int]:
        said = self.ask("show stat -1 4 -1").splitlines()  # of every proxy, its servers
        if not said:
            return {}
        names = said[0].removeprefix("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in said[1:] if line]
        return {f"{row['pxname']}/{row['svname']}": int(row.get("scur") or 0) for row in rows}

    # --- its folder --------------------------------------------------------------------------------------------------------

    def written(self) -> dict[str, Route]:
        """Routes by their names, as they were written last; who serves is asked of HAProxy itself."""
        found = {}
        with suppress(FileNotFoundError):
            for line in (self._folder / _CONFIGURATION).read_text().splitlines():
                if line.startswith(NOTE):
                    name, listen, mode = line.removeprefix(NOTE).split()
                    found[name] = Route(name, listen, Mode(mode))
        return found

    def _write(self, routes: Mapping[str, Route], changed: Mapping[str, Held]) -> None:
        held = {name: changed.get(name) or self._held(name) or Held(NOBODY) for name in routes}
        shares = [f"{name} {each.share}\n{name}-a {each.a.generation}\n{name}-b {each.b.generation}" for name, each in held.items()]
        write_whole(self._folder / MAP, "".join(f"{line}\n" for line in shares).encode())
        write_whole(self._folder / _CONFIGURATION, configuration(routes, held).encode())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One deployer at a time changes the folder."""
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def risen(folder: Path, *, start: bool) -> HaproxyEdge:
    """The HAProxy of a folder, that answers.

    Raises:
        EngineMissing: when it is not installed.
        DriverFailed: when it does not rise.
    """
    edge = HaproxyEdge(folder)
    if edge.alive():
        return edge
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise EngineMissing("haproxy is not here", advice="install it: apt-get install haproxy; or use the built-in edge")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _prepare_folder(edge, folder)
    if start:
        _start(program, folder)
    until = time.monotonic() + _SECONDS
    while start and time.monotonic() < until:
        if edge.alive():
            return edge
        time.sleep(0.02)
    edge.ask("show info")
    return edge


def _prepare_folder(edge: HaproxyEdge, folder: Path) -> None:
    """It has files; those of before the machine started name nobody who serves: who had those addresses is gone."""
    known = folder / _BOOT
    if (folder / _CONFIGURATION).exists() and known.exists() and known.read_text().strip() == boot():
        return
    routes = edge.written()
    held = dict.fromkeys(routes, Held(NOBODY))
    write_whole(folder / MAP, "".join(f"{name} {NOBODY}\n{name}-a 0\n{name}-b 0\n" for name in routes).encode())
    write_whole(folder / _CONFIGURATION, configuration(routes, held).encode())
    write_whole(known, f"{boot()}\n".encode())


def _start(program: str, folder: Path) -> None:
    with (folder / _LOG).open("ab") as log:
        began = subprocess.Popen(
            [program, "-W", "-db", "-p", _PID, "-f", _CONFIGURATION], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )  # fmt: skip
    began.returncode = 0  # it lives on without us: nobody here will wait for it


def _as_route(route: Route, held: Held) -> Route:
    backends = [Backend(held.side(each).generation, held.percent(each), held.side(each).addresses) for each in SIDES if held.percent(each)]
    return Route(route.name, route.listen, route.mode, tuple(backends))


def _meaning(route: Route) -> tuple[object, ...]:
    serving = sorted((each.generation, each.percent, tuple(sorted(each.addresses))) for each in route.backends if each.percent)
    return route.name, route.listen, route.mode, tuple(serving)


def _last_words(folder: Path) -> str:
    with suppress(OSError):
        return (folder / _LOG).read_text(errors="replace").strip()[-500:]
    return "it says nothing"
