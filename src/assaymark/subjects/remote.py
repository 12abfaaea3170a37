"""How git reaches a repository on another machine, with everything that could lead it elsewhere switched off.

Guarantees for every call that is made with what `reaching` gives
* one transport is allowed; over HTTP git connects to the addresses that were checked, follows no redirect, uses no proxy, cookie, netrc or
  credential helper; over SSH it takes the key that is given and no other, no agent, and only hosts whose key is known;
* the token stands in git's environment and the key in a file without a name: neither is in a list of processes or in a folder;
* nobody is asked for anything, submodules are left alone, nothing is started on the repository's behalf.

Does not decide where it may go: whoever makes a `Remote` has checked that.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import EngineMissing
from assaymark.subjects.git import Git, prepare

_QUIET_SECONDS = 30
"""A transfer that is slower than a kilobyte a second for so long is given up."""


class Remote(Struct, frozen=True):
    """A repository elsewhere. Its credentials are not shown by `repr`."""

    url: str
    """Without credentials."""
    scheme: str
    """``https``, ``http``, ``ssh`` or ``file``."""
    host: str = ""
    port: int = 0
    addresses: tuple[str, ...] = ()
    """To which it may connect; the host's name is not resolved again."""
    header: str = ""
    """Of HTTP: a whole header line with the token."""
    key: bytes = b""
    """Of SSH: a private key as OpenSSH writes it."""
    known_hosts: str = ""
    """Of SSH: lines of a known_hosts file, under the host's name without port."""
    authorities: str = ""
    """File of certificates to trust instead of the system's."""

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    __str__ = __repr__


@contextmanager
def reaching(remote: Remote, git_dir: Path) -> Iterator[Git]:
    """A git that may talk to this remote and to no other, for one repository here."""
    files: list[int] = []
    try:
        yield _git(remote, git_dir, files)
    finally:
        for file in files:
            os.close(file)


def local(git_dir: Path) -> Git:
    """A git for the same repository that talks to nobody."""
    return prepare(_bare(git_dir), {"GIT_DIR": str(git_dir)}, keep=False)


def _git(remote: Remote, git_dir: Path, files: list[int]) -> Git:
    git = local(git_dir)
    more = {"GIT_ALLOW_PROTOCOL": remote.scheme}
    if remote.scheme == "ssh":
        more["GIT_SSH_COMMAND"] = shlex.join(_ssh(remote, files))
        more["GIT_SSH_VARIANT"] = "ssh"
    elif remote.scheme == "file":
        more["GIT_CONFIG_GLOBAL"] = _trusting(remote, files)
    elif remote.header:
        more |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": remote.header}
    return replace(git, env={**git.env, **more}).configured(*_config(remote))


def _bare(git_dir: Path) -> Mapping[str, str]:
    """Nothing of our own environment but where programs are: no proxy, no home with a .netrc, no agent."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(git_dir)}


def _config(remote: Remote) -> list[str]:
    config = [
        f"protocol.{remote.scheme}.allow=always",
        "protocol.version=2",
        "core.askPass=false",
        "fetch.unpackLimit=1",  # a pack appears whole or not at all; loose objects could be left without what they name
        "fetch.recurseSubmodules=false",
        "fetch.writeCommitGraph=false",
        "fetch.prune=false",
        "transfer.credentialsInUrl=die",
    ]
    if remote.scheme in {"http", "https"}:
        config += [
            "http.followRedirects=false",
            "http.proxy=",
            "http.cookieFile=",
            "http.saveCookies=false",
            "http.sslVerify=true",
            "http.lowSpeedLimit=1000",
            f"http.lowSpeedTime={_QUIET_SECONDS}",
        ]
        if ":" not in remote.host and remote.addresses:
            shown = ",".join(f"[{each}]" if ":" in each else each for each in remote.addresses)
            config.append(f"http.curloptResolve={remote.host}:{remote.port}:{shown}")
        if remote.authorities:
            config.append(f"http.sslCAInfo={remote.authorities}")
    return config


def _ssh(remote: Remote, files: list[int]) -> list[str]:
    options = {
        "BatchMode": "yes",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "15",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": remote.host,
        "HostName": remote.addresses[0],
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PermitLocalCommand": "no",
        "PreferredAuthentications": "publickey",
        "ProxyCommand": "none",
        "ServerAliveCountMax": "2",
        "ServerAliveInterval": str(_QUIET_SECONDS // 2),
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": _nameless(remote.known_hosts.encode(), files),
    }
    key = ["-i", _nameless(remote.key, files)] if remote.key else ["-i", "/dev/null"]
    return [
        "ssh",
        "-F",
        "/dev/null",
        "-a",
        "-x",
        "-T",
        *key,
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
    ]


def _trusting(remote: Remote, files: list[int]) -> str:
    """The administrator allowed the folder, whoever owns it; git asks for that in a configuration file."""
    folder = remote.url.removeprefix("file://").replace("\\", "\\\\").replace('"', '\\"')
    return _nameless(f'[safe]\n\tdirectory = "{folder}"\n\tdirectory = "{folder}/.git"\n'.encode(), files)


def _nameless(content: bytes, files: list[int]) -> str:
    """A file that only this process and its children find, and that is gone with them."""
    if not hasattr(os, "memfd_create"):
        raise EngineMissing("keys cannot be handed to ssh here", why="this system has no anonymous files", advice="run the server on Linux")
    file = os.memfd_create("assaymark", os.MFD_CLOEXEC)
    files.append(file)
    os.fchmod(file, 0o600)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
    return f"/proc/{os.getpid()}/fd/{file}"
