"""One run of the zizmor program over a batch of files.

Guarantees: the program comes from the installed package and never from the search path; it sees a private folder, an empty environment,
no configuration and no network; and a file counts as audited only when zizmor itself says that it completed it.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.zizmor_engine import installed

_COMMAND = (
    "--offline",
    "--no-config",
    "--no-ignores",  # marked ones are still listed, with `ignored`; we record what they ask for
    "--format=json-v1",
    "--persona=regular",
    "--collect=all",
    "--no-exit-codes",
    "--no-progress",
    "--color=never",
)
_SECONDS = 120
_COMPLETED = re.compile(r"completed \./(\d+)/")
_NAMES = {"workflow": ".github/workflows/workflow.yml", "action": "action.yml", "dependabot": ".github/dependabot.yml"}


class Fragment(Struct, frozen=True):
    """Route component, as zizmor writes it: one of the two."""

    key: str | None = msgspec.field(name="Key", default=None)
    index: int | None = msgspec.field(name="Index", default=None)


class Route(Struct, frozen=True):
    route: tuple[Fragment, ...] = ()


class Key(Struct, frozen=True):
    local: dict[str, str] = msgspec.field(name="Local")


class Symbolic(Struct, frozen=True):
    key: Key
    annotation: str = ""
    route: Route = Route()
    feature_kind: Any = None
    kind: str = "Related"


class Offsets(Struct, frozen=True):
    start: int
    end: int


class Area(Struct, frozen=True):
    offset_span: Offsets


class Concrete(Struct, frozen=True):
    location: Area
    comments: tuple[str, ...] = ()


class Location(Struct, frozen=True):
    symbolic: Symbolic
    concrete: Concrete


class Determinations(Struct, frozen=True):
    confidence: str
    severity: str


class OfferedFix(Struct, frozen=True):
    title: str
    disposition: str = "unsafe"


class Audited(Struct, frozen=True):
    """One finding as zizmor writes it."""

    ident: str
    desc: str
    determinations: Determinations
    locations: tuple[Location, ...]
    url: str = ""
    ignored: bool = False
    fixes: tuple[OfferedFix, ...] = ()

    @property
    def primary(self) -> Location:
        """The place that the finding is about."""
        for location in self.locations:
            if location.symbolic.kind == "Primary":
                return location
        return self.locations[0]


class Report(Struct, frozen=True):
    """What one run said."""

    completed: frozenset[int]
    """Positions of the files in the batch that were audited to the end."""
    findings: tuple[tuple[int, Audited], ...]
    complaint: str
    """Standard error, when the run failed as a whole."""


def audit(files: Sequence[tuple[str, bytes]], *, strict: bool = False) -> Report:
    """Audit files given as (dialect, content) in one process.

    With `strict`, what cannot be collected fails the run and is described in `complaint`.

    Raises:
        EngineMissing: when zizmor is not installed.
    """
    engine = installed()
    with tempfile.TemporaryDirectory(prefix="assaymark-") as folder:
        for position, (dialect, content) in enumerate(files):
            place = Path(folder, str(position), _NAMES[dialect])
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
        command = [engine.binary, *_COMMAND, *(["--strict-collection"] if strict else []), "."]
        return _run(command, folder)


def _run(command: list[str], folder: str) -> Report:
    environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Report(frozenset(), (), f"no answer within {_SECONDS} seconds")
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode == 3:  # nothing could be collected: no input was audited, and that is no failure of the run
        return Report(frozenset(), (), "")
    if done.returncode != 0:
        return Report(frozenset(), (), said.strip() or f"zizmor ended with status {done.returncode}")
    completed = frozenset(int(number) for number in _COMPLETED.findall(said))
    try:
        rows = msgspec.json.decode(done.stdout, type=tuple[Audited, ...])
    except msgspec.DecodeError as error:
        return Report(frozenset(), (), f"zizmor's answer has another form than expected: {error}")
    return Report(completed, tuple((_position(row), row) for row in rows if row.locations), "")


def _position(row: Audited) -> int:
    path = row.primary.symbolic.key.local.get("verbatim_path", "")
    return int(path.removeprefix("./").partition("/")[0])
