"""How a tree is run: words for bubblewrap, or a configuration for runc, as an order to the supervisor. Pure.

What holds for both: the tree is the root and read-only; no capability, no new privileges, no core; own processes, mounts, host name and
IPC; the host's network only where the instance has a port, otherwise none; what may be written is in memory or a folder of data outside.
runc adds bounds of memory and processes (cgroups). Neither has a seccomp filter: whoever needs one uses the driver podman.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from assaymark.deployment.drivers.driver import Configuration, DriverFailed
from assaymark.deployment.drivers.rootfs.options import PROGRAMS, Options, Runtime

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console")
_OF_PROC = ("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
            "/proc/sched_debug", "/proc/scsi")  # fmt: skip
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


class Sought(Struct, frozen=True):
    """One instance that is to start."""

    id: str
    tree: str
    port: int
    """0: none."""
    configuration: Configuration
    runc_state: str
    pid_file: str
    is_root: bool


def order(sought: Sought, options: Options, lock: int) -> dict[str, Any]:
    """What the supervisor is told.

    Raises:
        DriverFailed: when a name or path of the configuration is none.
    """
    _look(sought.configuration)
    is_runc = options.runtime is Runtime.RUNC
    drops = sought.is_root and not is_runc and (options.user, options.group) != (0, 0)
    return {
        "argv": _runc_words(sought) if is_runc else _bubblewrap(sought, options),
        "command": [] if is_runc else _command(sought, options),
        "after": [_program(Runtime.RUNC), "--root", sought.runc_state, "delete", "--force", sought.id] if is_runc else [],
        "environment": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} if is_runc else _environment(sought, options),
        "private": sought.is_root,
        "mounts": _mounts(sought, options) if sought.is_root else {},
        "files": {} if is_runc else dict(sought.configuration.secrets),
        "memory": _memory(sought, options) if is_runc else {},
        "owner": [options.user, options.group],
        "user": options.user if drops else None, "group": options.group if drops else None,
        "inner": not is_runc, "stop_seconds": options.stop_seconds, "lock": lock,
    }  # fmt: skip


def expected(sought: Sought, options: Options) -> tuple[str, ...]:
    """Where something is mounted inside, on purpose."""
    own = {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", *DEVICES, *_OF_PROC, *_READ_ONLY}  # noqa: S108 - inside
    given = sought.configuration
    secret = {options.secrets, *(f"{options.secrets}/{name}" for name in given.secrets)} if given.secrets else set()
    return tuple(sorted(own | {*options.tmpfs, *options.data, *given.files} | secret))


def points(configuration: Configuration, options: Options) -> tuple[str, ...]:
    """What the tree has to have, so that something can be mounted there: it is read-only, and nobody makes it."""
    secret = (options.secrets,) if configuration.secrets else ()
    return ("/proc", "/dev", *options.tmpfs, *options.data, *configuration.files, *secret)


def _program(runtime: Runtime) -> str:
    name = PROGRAMS[runtime][0]
    return shutil.which(name) or name


def _command(sought: Sought, options: Options) -> list[str]:
    return [word.replace("{port}", str(sought.port)) for word in options.command]


def _environment(sought: Sought, options: Options) -> dict[str, str]:
    usual = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
    port = {options.port_variable: str(sought.port)} if sought.port else {}
    return {**usual, **port, **sought.configuration.variables}


def _mounts(sought: Sought, options: Options) -> dict[str, str]:
    """Name in the order -> path outside."""
    data = {f"data{number}": outside for number, outside in enumerate(options.data.values())}
    files = {f"file{number}": outside for number, outside in enumerate(sought.configuration.files.values())}
    return {"tree": sought.tree, **data, **files}


def _where(sought: Sought, name: str, path: str) -> str:
    """As root it is reached by a mount of its own; everybody else reaches only what he may."""
    return f"@{name}@" if sought.is_root else path


# --- bubblewrap ------------------------------------------------------------------------------------------------------


def _bubblewrap(sought: Sought, options: Options) -> list[str]:
    words = [_program(Runtime.BUBBLEWRAP), "--unshare-all", "--die-with-parent", "--new-session", "--hostname", sought.id]
    words += ["--share-net"] if sought.port else []
    words += ["--sync-fd", "@lock@", "--ro-bind", _where(sought, "tree", sought.tree), "/", "--proc", "/proc", "--dev", "/dev"]
    for inside in options.tmpfs:
        words += ["--perms", "1777", "--tmpfs", inside]
    for number, (inside, outside) in enumerate(options.data.items()):
        words += ["--bind", _where(sought, f"data{number}", outside), inside]
    for number, (inside, outside) in enumerate(sought.configuration.files.items()):
        words += ["--ro-bind", _where(sought, f"file{number}", outside), inside]
    names = sorted(sought.configuration.secrets)
    words += ["--perms", "0755", "--tmpfs", options.secrets] if names else []
    for name in names:
        words += ["--perms", "0400", "--ro-bind-data", f"@fd:{name}@", f"{options.secrets}/{name}"]
    words += ["--remount-ro", options.secrets] if names else []
    return [*words, "--chdir", options.folder, "--"]


# --- runc ------------------------------------------------------------------------------------------------------------


def _runc_words(sought: Sought) -> list[str]:
    return [
        _program(Runtime.RUNC),
        "--root",
        sought.runc_state,
        "run",
        "--bundle",
        "@place@/bundle",
        "--pid-file",
        sought.pid_file,
        sought.id,
    ]


def _memory(sought: Sought, options: Options) -> dict[str, str]:
    secret = {f"secrets/{name}": value for name, value in sought.configuration.secrets.items()}
    return {"bundle/config.json": json.dumps(_configured(sought, options)), **secret}


def _configured(sought: Sought, options: Options) -> dict[str, Any]:
    """For the runtime, by the OCI runtime specification 1.0."""
    namespaces = ["pid", "ipc", "uts", "mount", *([] if sought.port else ["network"])]
    environment = [f"{name}={value}" for name, value in sorted(_environment(sought, options).items())]
    limits = [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    return {
        "ociVersion": "1.0.2", "hostname": sought.id, "root": {"path": "@tree@", "readonly": True},
        "process": {
            "terminal": False, "user": {"uid": options.user, "gid": options.group}, "args": _command(sought, options), "env": environment,
            "cwd": options.folder, "capabilities": {}, "noNewPrivileges": True, "rlimits": limits,
        },
        "mounts": _runc_mounts(sought, options),
        "linux": {
            "namespaces": [{"type": each} for each in namespaces], "cgroupsPath": f"/assaymark/{sought.id}",
            "maskedPaths": list(_OF_PROC), "readonlyPaths": list(_READ_ONLY),
            "resources": {
                "devices": [{"allow": False, "access": "rwm"}], "memory": {"limit": options.memory}, "pids": {"limit": options.pids},
            },
        },
    }  # fmt: skip


def _runc_mounts(sought: Sought, options: Options) -> list[dict[str, Any]]:
    plain = ["nosuid", "noexec", "nodev"]
    found = [
        _mount("/proc", "proc", "proc", []), _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=64k"]),
        _mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        _mount("/dev/shm", "tmpfs", "shm", [*plain, "mode=1777", "size=16m"]),  # noqa: S108 - inside
    ]  # fmt: skip
    found += [_mount(inside, "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=1777"]) for inside in options.tmpfs]
    found += [_mount(inside, "bind", f"@data{number}@", ["rbind", "nosuid", "nodev"]) for number, inside in enumerate(options.data)]
    files = sought.configuration.files
    found += [_mount(inside, "bind", f"@file{number}@", ["rbind", "ro", "nosuid", "nodev"]) for number, inside in enumerate(files)]
    if sought.configuration.secrets:
        found.append(_mount(options.secrets, "bind", "@place@/secrets", ["rbind", "ro", *plain]))
    return found


def _mount(inside: str, kind: str, source: str, words: list[str]) -> dict[str, Any]:
    return {"destination": inside, "type": kind, "source": source, "options": words}


def _look(configuration: Configuration) -> None:
    named: Mapping[str, str] = {**configuration.variables, **configuration.secrets}
    for name, value in named.items():
        if not _NAME.fullmatch(name):
            raise DriverFailed(f"{name[:50]!r} is no name of a variable or a secret", advice="letters, digits, underscores")
        if "\0" in value and name in configuration.variables:
            raise DriverFailed(f"the variable {name} holds a NUL", advice="give it as a file or as a secret")
    for inside in configuration.files:
        if not inside.startswith("/") or "\0" in inside or {".", ".."} & set(inside.split("/")):
            raise DriverFailed(f"the file {inside[:100]!r} cannot be mounted", why="its path is not absolute, or leaves its folder")
