"""What an image says and holds besides files, as files under names that no archive can have: they contain an empty part.

| name | content |
|---|---|
| ``image//config.json`` | the configuration, byte for byte: its digest is the image's id |
| ``image//environment.env`` | the variables that every process gets, one a line |
| ``image//files.json`` | rights, owners and kinds of the files where they are unusual, and how much package managers left behind |
| ``image//packages/<manager>`` | the packages with the release that they are of (`assaymark.formats.parts`) |
| ``<program>//go-buildinfo`` | what a Go program that no package brought says it was built from |

They make the image's own facts inputs like any other: remembered by digest, compared between two images, judged by checks that know no
image. Pure; nothing of an archive chooses a name here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from assaymark.formats.parts import join
from assaymark.formats.rpm import RPM_LIST, DamagedHeader, headers, package
from assaymark.formats.sqlite_pages import NotSqlite
from assaymark.formats.tar_headers import FOLDER, REGULAR
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.image.layer import CAPABLE
from assaymark.subjects.image.tree import File, Tree

ROOT = "image//"
CONFIG, ENVIRONMENT, FILES, PACKAGES = ROOT + "config.json", ROOT + "environment.env", ROOT + "files.json", ROOT + "packages/"
GO = "go-buildinfo"

MOST_ROWS = 20_000
"""Unusual files that are told one by one; honest images have fewer than a hundred."""

_SETUID, _SETGID, _STICKY, _OTHERS_WRITE, _OTHERS_READ = 0o4000, 0o2000, 0o1000, 0o002, 0o004
_KINDS = {REGULAR: "file", FOLDER: "folder", b"2": "link", b"3": "character-device", b"4": "block-device", b"6": "fifo"}
_TOLD = re.compile(
    rb"(?:usr/)?s?bin/(?:sshd|dropbear|telnetd|in\.telnetd|vsftpd|rlogind|rshd)\Z"
    rb"|(?:var/)?run/docker\.sock\Z"
    rb"|etc/(?:g?shadow|sudoers|sudoers\.d/[^/]+)\Z"
    rb"|(?:root|home/[^/]+)/\.ssh/[^/]+\Z"
    rb"|etc/ssh/ssh_host_[a-z0-9]+_key\Z"
)
"""Names that a rule asks about whatever their rights are."""
_LEFT_BEHIND = {
    "apt": re.compile(rb"var/(?:cache/apt/archives/[^/]+\.deb|cache/apt/(?:src)?pkgcache\.bin|lib/apt/lists/[^/]+)\Z"),
    "apk": re.compile(rb"(?:var|etc)/(?:cache/)?apk/(?:cache/)?[^/]+\.(?:apk|tar\.gz)\Z"),
    "dnf": re.compile(rb"var/cache/(?:lib)?(?:dnf|yum|zypp)[^/]*/.+"),
    "pip": re.compile(rb"root/\.cache/(?:pip|uv)/.+"),
    "npm": re.compile(rb"root/\.(?:npm/_cacache|cache/yarn|local/share/pnpm/store)/.+"),
    "go": re.compile(rb"root/(?:\.cache/go-build|go/pkg/mod/cache)/.+"),
}
_DATABASES = {
    "dpkg": re.compile(rb"var/lib/dpkg/(?:status|status\.d/[^/]+(?<!\.md5sums))\Z"),
    "apk": re.compile(rb"(?:usr/)?lib/apk/db/installed\Z"),
    "rpm": re.compile(rb"(?:var|usr)/lib/(?:sysimage/)?rpm/(?:rpmdb\.sqlite(?:-wal)?|Packages(?:\.db)?)\Z"),
}
_TOLD_HEAD = 1 << 16
_RELEASES = (b"etc/os-release", b"usr/lib/os-release")


class Row(Struct, frozen=True):
    """One unusual file."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    capabilities: bool
    size: int


class Files(Struct, frozen=True):
    """What ``image//files.json`` holds."""

    rows: list[Row]
    left_behind: dict[str, int]
    """Bytes by package manager."""
    more: int
    """Unusual files beyond `MOST_ROWS`."""


class _Inner(Struct, rename="pascal"):
    env: list[str] | None = None


class _Config(Struct):
    config: _Inner | None = None


def described(tree: Tree, config: bytes, kept: Callable[[bytes], bytes | None]) -> dict[str, bytes]:
    """Contents by name."""
    found = {CONFIG: config, FILES: msgspec.json.encode(_files(tree), order="sorted")}
    environment = _environment(config)
    if environment:
        found[ENVIRONMENT] = environment
    for manager, parts in _databases(tree, kept).items():
        found[PACKAGES + manager] = join(parts)
    return found


def is_database(name: bytes) -> bool:
    """Whether a file is told in `PACKAGES`, so that nobody counts its packages twice."""
    return any(pattern.match(name) for pattern in _DATABASES.values())


def _files(tree: Tree) -> Files:
    rows: list[Row] = []
    more = 0
    left_behind: dict[str, int] = {}
    for name, node in tree.walk():
        item = node.item
        if item is None:
            continue
        for manager, pattern in _LEFT_BEHIND.items():
            if isinstance(node, File) and item.kind == REGULAR and name.startswith((b"var/", b"root/", b"etc/")) and pattern.match(name):
                left_behind[manager] = left_behind.get(manager, 0) + item.size
        if not (_is_unusual(item.kind, item.mode) or item.flags & CAPABLE or _TOLD.match(name)):
            continue
        if len(rows) >= MOST_ROWS:
            more += 1
            continue
        capable = bool(item.flags & CAPABLE)
        shown = name.decode("utf-8", "backslashreplace")
        rows.append(Row(shown, _KINDS.get(item.kind, "other"), item.mode, item.uid, item.gid, capable, item.size))
    return Files(sorted(rows, key=lambda row: row.path), left_behind, more)


def _is_unusual(kind: bytes, mode: int) -> bool:
    if kind == REGULAR:
        return bool(mode & (_SETUID | _SETGID | _OTHERS_WRITE))
    if kind == FOLDER:
        return bool(mode & _OTHERS_WRITE) and not mode & _STICKY
    return kind in {b"3", b"4"}


def _environment(config: bytes) -> bytes:
    """Variables as a file of settings; one whose value has several lines is quoted as such files do it."""
    try:
        inner = msgspec.json.decode(config, type=_Config).config
    except (*UNDECODABLE, ValueError):
        return b""
    lines = []
    for variable in (inner.env or ()) if inner else ():
        name, equals, value = variable.partition("=")
        if equals:
            lines.append(f'{name}="{value}"' if "\n" in value else f"{name}={value}")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _databases(tree: Tree, kept: Callable[[bytes], bytes | None]) -> Mapping[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for manager, name, content in _records(tree, kept):
        found.setdefault(manager, {})[name] = content
    release = next((text for name in _RELEASES if (text := _content(tree, name, kept)) is not None), b"")
    for parts in found.values():
        parts["os-release"] = release
    return found


def _records(tree: Tree, kept: Callable[[bytes], bytes | None]) -> Iterator[tuple[str, str, bytes]]:
    for name, node in tree.files():
        if node.item.kind != REGULAR or not name.startswith((b"var/lib/", b"lib/", b"usr/lib/")):
            continue
        for manager, pattern in _DATABASES.items():
            found = kept(node.item.digest) if pattern.match(name) else None
            if found is not None:
                yield _record(manager, name.decode("utf-8", "backslashreplace"), found)


def _record(manager: str, name: str, content: bytes) -> tuple[str, str, bytes]:
    """A database as it is; rpm's, which also holds every file and change log, as the list of its packages.

    One that cannot be read is offered by its head, in which the reader sees what is wrong with it.
    """
    if manager != "rpm" or not content:
        return manager, name, content
    try:
        return manager, name + RPM_LIST, msgspec.json.encode([package(header) for header in headers(content)])
    except (NotSqlite, DamagedHeader):
        return manager, name, content[:_TOLD_HEAD]


def _content(tree: Tree, name: bytes, kept: Callable[[bytes], bytes | None]) -> bytes | None:
    node = tree.look_up(name)
    return kept(node.item.digest) if node is not None and node.item.digest else None
