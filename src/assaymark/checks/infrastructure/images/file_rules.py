"""Rules about the rights, owners and kinds of an image's files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.images.documents import Files, Row
from assaymark.checks.infrastructure.images.flaws import ImageFlaw
from assaymark.model.severity import Severity

_SETUID, _SETGID, _OTHERS_WRITE, _OTHERS_READ = 0o4000, 0o2000, 0o002, 0o004
_MIB = 1 << 20
_LEAST_CACHE = 1 * _MIB

_USUAL_SETUID = re.compile(
    r"(?:usr/)?(?:s?bin|lib(?:exec)?(?:/[^/]+){0,2})/(?:su|mount|umount|passwd|chsh|chfn|chage|newgrp|gpasswd|expiry|fusermount3?|ping6?"
    r"|unix_chkpwd|pam_timestamp_check|ssh-keysign|dbus-daemon-launch-helper|bbsuid|userhelper|crontab|at|utempter|newuidmap|newgidmap"
    r"|grub2-set-bootflag|mount\.(?:nfs|cifs|fuse)|ntfs-3g|staprun|pt_chown|chrome-sandbox)\Z"
)
"""Programs that distributions ship so, because changing the user is their purpose. Without sudo, pkexec, doas: a container needs none."""
_USUAL_SETGID = re.compile(
    r"(?:usr/)?(?:s?bin|lib(?:exec)?(?:/[^/]+){0,2})/(?:chage|expiry|unix_chkpwd|wall|write(?:\.ul)?|ssh-agent|crontab|bsd-write|mlocate"
    r"|plocate|locate|screen|dotlockfile|utempter|postdrop|postqueue|ssh-keysign|mail-(?:un)?lock|mail-touchlock|lockdev|netreport)\Z"
)
_USUAL_CAPABILITIES = re.compile(r"(?:usr/)?s?bin/(?:ping6?|arping|clockdiff|newuidmap|newgidmap|mtr-packet|traceroute6?)\Z")
_DAEMONS = re.compile(r"(?:usr/)?s?bin/(?:sshd|dropbear|telnetd|in\.telnetd|vsftpd|rlogind|rshd)\Z")
_SHADOW = re.compile(r"etc/g?shadow\Z")
_SUDOERS = re.compile(r"etc/sudoers(?:\.d/[^/]+)?\Z")
_SSH_KEY = re.compile(r"(?:root|home/[^/]+)/\.ssh/(?:authorized_keys|id_[a-z0-9]+)\Z|etc/ssh/ssh_host_[a-z0-9]+_key\Z")
_MANAGERS = {
    "apt": "apt-get clean && rm -rf /var/lib/apt/lists/*",
    "apk": "apk add --no-cache …",
    "dnf": "dnf clean all",
    "pip": "pip install --no-cache-dir …",
    "npm": "npm cache clean --force",
    "go": "go clean -cache -modcache",
}


def _programs(files: Files) -> Iterator[Row]:
    return (row for row in files.rows if row.kind == "file" and row.mode & 0o111)


def setuid_program(files: Files) -> Iterator[ImageFlaw]:
    """A program that gives its owner's rights to whoever starts it."""
    for row in _programs(files):
        if row.mode & _SETUID and not _USUAL_SETUID.match(row.path):
            owner = "root" if row.uid == 0 else f"user {row.uid}"
            message = f"/{row.path} gives the rights of {owner} to everybody who starts it, and no distribution ships it so"
            yield ImageFlaw("setuid-program", "setuid", f"/{row.path}", message, None if row.uid == 0 else Severity.LOW)


def setgid_program(files: Files) -> Iterator[ImageFlaw]:
    """A program that gives its group's rights to whoever starts it."""
    for row in _programs(files):
        if row.mode & _SETGID and not row.mode & _SETUID and not _USUAL_SETGID.match(row.path):
            group = "root" if row.gid == 0 else str(row.gid)
            yield ImageFlaw(
                "setgid-program", "setgid", f"/{row.path}", f"/{row.path} gives the rights of group {group} to whoever starts it"
            )


def file_capabilities(files: Files) -> Iterator[ImageFlaw]:
    """A program with capabilities of its own."""
    for row in files.rows:
        if row.capabilities and not _USUAL_CAPABILITIES.match(row.path):
            message = f"/{row.path} carries capabilities of the kernel, which everybody who starts it gets"
            yield ImageFlaw("file-capabilities", "capabilities", f"/{row.path}", message)


def world_writable(files: Files) -> Iterator[ImageFlaw]:
    """What every user of the container may change."""
    for row in files.rows:
        if row.kind not in {"file", "folder"} or not row.mode & _OTHERS_WRITE or row.path.startswith(("dev/", "proc/", "sys/")):
            continue
        if row.kind == "folder" and row.mode & 0o1000:
            continue  # the sticky bit keeps strangers' files from being replaced
        rule = "world-writable-file" if row.kind == "file" else "world-writable-folder"
        runs = row.kind == "file" and row.mode & 0o111
        message = f"Every user of the container may {'replace what' if runs else 'write to'} /{row.path}{' does' if runs else ''}"
        yield ImageFlaw(rule, "writable by everybody", f"/{row.path}", message, Severity.HIGH if runs and row.uid == 0 else None)


def device_node(files: Files) -> Iterator[ImageFlaw]:
    """A device outside of /dev, where a runtime mounts its own."""
    for row in files.rows:
        if row.kind in {"block-device", "character-device"} and not row.path.startswith("dev/"):
            what = "a disk or its like" if row.kind == "block-device" else "a device"
            yield ImageFlaw(
                "device-node", "devices", f"/{row.path}", f"/{row.path} opens {what} of the machine where the runtime permits it"
            )


def account_files(files: Files) -> Iterator[ImageFlaw]:
    """Files that decide who may do what, open to others."""
    for row in files.rows:
        if row.kind != "file":
            continue
        if _SHADOW.match(row.path) and row.mode & _OTHERS_READ:
            yield ImageFlaw(
                "account-file-rights", "readable by everybody", f"/{row.path}", f"Everybody may read the password hashes in /{row.path}"
            )
        elif _SUDOERS.match(row.path) and (row.uid != 0 or (row.mode & 0o022 and row.gid != 0)):
            yield ImageFlaw(
                "account-file-rights", "owner", f"/{row.path}", f"Somebody else than root decides in /{row.path} who may become root"
            )
        elif _SSH_KEY.match(row.path) and row.mode & 0o022:
            yield ImageFlaw(
                "account-file-rights", "writable by others", f"/{row.path}", f"Others may write to /{row.path}, which lets people log in"
            )


def remote_daemon(files: Files) -> Iterator[ImageFlaw]:
    """A program whose purpose is to let people log in from elsewhere."""
    for row in files.rows:
        if row.kind == "file" and _DAEMONS.match(row.path):
            name = row.path.rpartition("/")[2]
            yield ImageFlaw(
                "remote-daemon", "programs", name, f"{name} lets people in beside the service; `docker exec` needs no such thing"
            )


def package_cache(files: Files) -> Iterator[ImageFlaw]:
    """What a package manager fetched and nobody needs any more."""
    for manager, size in sorted(files.left_behind.items()):
        if size >= _LEAST_CACHE:
            message = f"{manager} left {size // _MIB} MiB of downloads or lists behind; the step that fills them can do without"
            hint = _MANAGERS.get(manager)
            yield ImageFlaw("package-cache", "caches", manager, f"{message}: {hint}" if hint else message)
