"""Checks of third parties: found once, remembered until something is installed or removed.

Reads the entry point group ``assaymark.checks`` from the metadata of installed distributions. Scanning costs milliseconds for every
distribution, so the result is kept in a file, for each folder of ``sys.path`` until it changes: the command and a hook have other paths.
"""

# On the path of every hook: pathlib would cost milliseconds.
# ruff: noqa: PTH105, PTH112, PTH116, PTH118, PTH123

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import cast

import msgspec
from msgspec import Struct

from assaymark.checks.registry import BUILT_IN, GROUP, Make
from assaymark.formats.undecodable import UNDECODABLE

_MOST_FOLDERS = 100
"""That are remembered; only a machine with many environments and one cache has more."""


class _Folder(Struct, frozen=True):
    changed: int
    """Its time of change, in nanoseconds."""
    checks: dict[str, str]


def installed(cache_dir: str) -> dict[str, str]:
    """Name -> import string of every third-party check; a name of ours can't be taken over."""
    folders = {folder: _mtime(folder) for folder in sys.path if folder and os.path.isdir(folder)}
    file = os.path.join(cache_dir, "plugins.json")
    known = _remembered(file)
    fresh = {
        folder: _Folder(changed, _scan(folder))
        for folder, changed in folders.items()
        if folder not in known or known[folder].changed != changed
    }
    known |= fresh
    if fresh:
        _remember(file, known if len(known) <= _MOST_FOLDERS else {folder: known[folder] for folder in folders})
    return {name: value for folder in folders for name, value in known[folder].checks.items() if name not in BUILT_IN}


def _remembered(file: str) -> dict[str, _Folder]:
    try:
        with open(file, "rb") as stored:
            return msgspec.json.decode(stored.read(), type=dict[str, _Folder])
    except (*UNDECODABLE, OSError):
        return {}  # not there yet, or not ours: scanned again


def _remember(file: str, known: dict[str, _Folder]) -> None:
    draft = f"{file}.{os.getpid()}"
    try:
        data = msgspec.json.encode(known)
        with open(draft, "wb") as stored:
            stored.write(data)
        os.replace(draft, file)
    except (OSError, UnicodeEncodeError):
        return  # a read-only cache, or a folder of an odd name, costs a scan each time, nothing else


def load(reference: str) -> Make:
    """The function that an import string ``module:function`` names."""
    module, _, function = reference.partition(":")
    return cast("Make", getattr(import_module(module), function))


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _scan(folder: str) -> dict[str, str]:
    import configparser  # noqa: PLC0415 - only after something was installed
    from pathlib import Path  # noqa: PLC0415 - see above

    found: dict[str, str] = {}
    for file in sorted(Path(folder).glob("*.dist-info/entry_points.txt")):
        text = file.read_text(encoding="utf-8", errors="replace")
        if f"[{GROUP}]" not in text:
            continue
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
        try:
            parser.read_string(text)
        except configparser.Error:
            continue  # a distribution with damaged metadata offers nothing
        found |= {name: value.split("[")[0].strip() for name, value in parser.items(GROUP)} if parser.has_section(GROUP) else {}
    return found
