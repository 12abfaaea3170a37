"""Checks of third parties: found once, remembered until something is installed or removed.

Reads the entry point group ``assaymark.checks`` from the metadata of installed distributions. Scanning costs milliseconds for every
distribution, so the result is kept in a file that is valid while no folder of ``sys.path`` has changed.
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


class _Known(Struct, frozen=True):
    stamp: tuple[tuple[str, int], ...]
    checks: dict[str, str]


def installed(cache_dir: str) -> dict[str, str]:
    """Name -> import string of every third-party check; a name of ours can't be taken over."""
    stamp = tuple((folder, _mtime(folder)) for folder in sys.path if folder and os.path.isdir(folder))
    file = os.path.join(cache_dir, "plugins.json")
    try:
        with open(file, "rb") as stored:
            known = msgspec.json.decode(stored.read(), type=_Known)
        if known.stamp == stamp:
            return known.checks
    except (OSError, msgspec.MsgspecError):
        pass  # not there yet, or not ours: scanned again
    checks = {name: value for folder, _ in stamp for name, value in _scan(folder).items() if name not in BUILT_IN}
    draft = f"{file}.{os.getpid()}"
    try:
        with open(draft, "wb") as stored:
            stored.write(msgspec.json.encode(_Known(stamp, checks)))
        os.replace(draft, file)
    except OSError:
        return checks  # a read-only cache costs a scan each time, nothing else
    return checks


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
