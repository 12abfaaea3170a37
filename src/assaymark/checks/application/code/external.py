"""Any tool that writes SARIF becomes a check by a ten-line manifest.

    id = "bandit"
    layer = "application"
    unit = "blob"
    select = ["*.py"]
    version = ["bandit", "--version"]          # or the version itself, as a string
    command = ["bandit", "-q", "-f", "sarif", "-o", "{output}", "-r", "{input}"]
    output = "sarif"                           # a file at {output}; "stdout" where the tool prints it
    timeout-seconds = 120
    [files]                                    # optional: rules and settings, found under {files}
    "rules.yml" = "…"

Guarantees
* No shell; a private folder with copies of the inputs, removed afterwards; time and output bounded; the tool never learns the real paths.
* One outcome per input. A crash, an error that the tool reports, an unreadable or missing report, a result that belongs to no input:
  each is unchecked or a sighting, never silence. A batch that fails is halved until the culprit stands alone, within a budget.
* The tool is remembered under its manifest, its version and the program file itself; another version is other knowledge.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from assaymark.checks.application.code.external_report import attribute, words
from assaymark.checks.application.code.process import Ran, run_bounded
from assaymark.checks.application.code.sarif_in import NotSarifError, Report, read_sarif
from assaymark.checks.application.code.source import plain
from assaymark.checks.reading.installed import grammars
from assaymark.checks.settings import CheckSettings, NamedFile
from assaymark.errors import EngineMissing, PolicyInvalid
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model import rules
from assaymark.model.check import Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer
from assaymark.model.syntax_tree import PLACES

LONGEST_REPORT = 64 << 20
MOST_RUNS = 64
"""Processes for one batch, so that a tool that always fails costs minutes, not a night."""
PATIENCE = 4
"""Times its own timeout that one batch may take in all."""
_VERSION_SECONDS = 60.0
_ID = re.compile(r"[a-z][a-z0-9-]{0,40}")
_FOLDER = "assay-{:06d}"
_UNITS = {"blob": UnitKind.BLOB, "tree": UnitKind.TREE, "directory": UnitKind.DIRECTORY}


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a manifest says."""

    id: str
    layer: Layer
    unit: str
    select: tuple[str, ...]
    command: tuple[str, ...]
    version: str | tuple[str, ...]
    output: str = "sarif"
    timeout_seconds: float = 120.0
    files: dict[str, str] = {}


def make_external(settings: CheckSettings, manifest: NamedFile) -> External:
    """The check that a manifest describes.

    Raises:
        PolicyInvalid: when the manifest does not say what it means.
    """
    return External(read_manifest(manifest), sha256(manifest.content), settings.cache_dir)


def shipped(name: str) -> NamedFile:
    """A manifest that comes with Assaymark (``bandit``, ``semgrep``).

    Raises:
        PolicyInvalid: when there is none of this name.
    """
    folder = Path(__file__).with_name("manifests")
    known = {file.stem: file for file in folder.glob("*.toml")}
    if name not in known:
        raise PolicyInvalid(f"no manifest named {name!r} is shipped", why="shipped ones: " + ", ".join(sorted(known)))
    return NamedFile(known[name].name, known[name].read_bytes())


def read_manifest(manifest: NamedFile) -> Manifest:
    """The manifest's content.

    Raises:
        PolicyInvalid: when it does not say what it means.
    """
    try:
        read = msgspec.toml.decode(manifest.content, type=Manifest)
    except UNDECODABLE as refused:
        raise PolicyInvalid(f"{manifest.name} is no manifest of a tool", why=str(refused)) from refused
    problems = {
        "id must be lower-case letters, digits and hyphens": _ID.fullmatch(read.id),
        "unit must be blob, tree or directory": read.unit in _UNITS,
        "output must be sarif or stdout": read.output in ("sarif", "stdout"),
        "command must not be empty": read.command,
        "command must name {output}": read.output == "stdout" or any("{output}" in word for word in read.command),
        "command must name {input}": any("{input}" in word for word in read.command),
        "version must not be empty": read.version,
        "timeout-seconds must be between 0 and 3600": 0 < read.timeout_seconds <= 3600,
        "names in files must be plain": all(_is_inside(name) for name in read.files),
    }
    for problem, holds in problems.items():
        if not holds:
            raise PolicyInvalid(f"{manifest.name} is no manifest of a tool", why=problem)
    return read


class External:
    """The check."""

    version = "2"
    starts_processes = True

    def __init__(self, manifest: Manifest, digest: Digest, cache_dir: str) -> None:
        self.id = CheckId(manifest.id)
        self.layer = manifest.layer
        self.unit = _UNITS[manifest.unit]
        self._manifest = manifest
        self._digest = digest
        self._cache_dir = cache_dir

    def knowledge(self) -> str:
        """Manifest, program, version, and the class data that we hold for the tool; the version is asked for once per program file."""
        mapped = Path(rules.__file__).parent / "rule_data" / f"{self.id}.toml"
        known = sha256(mapped.read_bytes()) if mapped.is_file() else ""
        return digest_of([self._digest, self._version(), known, sys.version_info[:2], grammars(*PLACES)])

    def select(self, path: str) -> Dialect | None:
        name = path.rpartition("/")[2]
        for pattern in self._manifest.select:
            if fnmatch.fnmatchcase(path if "/" in pattern else name, pattern):
                suffix = name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""
                return Dialect(suffix) if re.fullmatch(r"[a-z0-9_+-]{1,16}", suffix) else Dialect(f"name:{name}")
        return None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        budget = _Budget(MOST_RUNS, time.monotonic() + PATIENCE * self._manifest.timeout_seconds)
        batches = [list(inputs)] if self.unit == UnitKind.BLOB else [[given] for given in inputs]
        for batch in batches:
            if batch:
                yield from self._batch(batch, budget)

    def _batch(self, inputs: list[Input], budget: _Budget) -> Iterator[tuple[Digest, Outcome]]:
        outcomes = self._attempt(inputs, budget)
        if isinstance(outcomes, list):
            yield from zip((given.digest for given in inputs), outcomes, strict=True)
        elif len(inputs) == 1:
            yield inputs[0].digest, outcomes
        else:
            middle = len(inputs) // 2
            yield from self._batch(inputs[:middle], budget)
            yield from self._batch(inputs[middle:], budget)

    def _attempt(self, inputs: list[Input], budget: _Budget) -> list[Outcome] | Unchecked:
        """Outcomes in order, or why this batch as a whole has none."""
        left = budget.until - time.monotonic()
        if budget.runs <= 0 or left <= 0:
            return Unchecked("engine-failed", f"{self.id} failed on too many inputs of this batch; run it by hand to see why.")
        budget.runs -= 1
        with tempfile.TemporaryDirectory(prefix="assay-tool-") as folder:
            names = _write(folder, inputs, self._manifest.files)
            if names is None:
                return Unchecked("unreadable", "A file name in this unit leaves its folder.")
            command = self._command(folder, one=None if self.unit == UnitKind.BLOB else _FOLDER.format(0))
            ran = run_bounded(command, folder=folder, seconds=min(left, self._manifest.timeout_seconds), limit=LONGEST_REPORT)
            report = self._report(ran, Path(folder, "output.sarif"))
        return report if isinstance(report, Unchecked) else attribute(str(self.id), inputs, names, report)

    def _command(self, folder: str, *, one: str | None) -> list[str]:
        places = {
            "{input}": str(Path(folder, "in", one or "")),
            "{output}": str(Path(folder, "output.sarif")),
            "{files}": str(Path(folder, "files")),
        }
        words = [self._program()]
        for word in self._manifest.command[1:]:
            for place, value in places.items():
                word = word.replace(place, value)  # noqa: PLW2901 - each placeholder in turn
            words.append(word)
        return words

    def _report(self, ran: Ran, output: Path) -> Report | Unchecked:
        if ran.trouble == "timeout":
            return Unchecked("timeout", f"{self.id} did not finish within {self._manifest.timeout_seconds:.0f} seconds.")
        data = ran.output
        if self._manifest.output == "sarif":
            size = output.stat().st_size if output.is_file() and not output.is_symlink() else -1
            if size < 0:
                return Unchecked("engine-failed", f"{self.id} wrote no report (exit code {ran.code}). {words(ran.errors)[-300:]}".strip())
            data = output.read_bytes() if size <= LONGEST_REPORT else b""
            ran = ran if data else Ran(ran.code, b"", ran.errors, "output")
        if ran.trouble == "output":
            return Unchecked("size", f"{self.id} reports more than can be kept.")
        try:
            report = read_sarif(data)
        except NotSarifError as refused:
            return Unchecked("engine-failed", f"{self.id} wrote no SARIF 2.1.0 (exit code {ran.code}): {words(str(refused))}")
        if ran.code not in (0, 1) and not (report.says_finished or report.troubles):
            return Unchecked("engine-failed", f"{self.id} ended with code {ran.code}. {words(ran.errors)[-300:]}".strip())
        return report

    def _program(self) -> str:
        """The tool's file: on PATH, or beside this interpreter."""
        beside = str(Path(sys.executable).parent)
        found = shutil.which(self._manifest.command[0]) or shutil.which(self._manifest.command[0], path=beside)
        if found is None:
            raise EngineMissing(
                f"{self.id} is not installed", why=f"no program {self._manifest.command[0]!r}", advice="Install it, or drop its manifest."
            )
        return str(Path(found).absolute())

    def _version(self) -> str:
        """What the tool is, without starting it again as long as its file is the same."""
        program = self._program()
        facts = Path(program).stat()
        asked = self._manifest.version
        if isinstance(asked, str):
            return digest_of([program, facts.st_size, facts.st_mtime_ns, asked])
        key = digest_of([program, facts.st_size, facts.st_mtime_ns, asked])
        memory = Path(self._cache_dir, "tools", key.replace(":", "-")) if self._cache_dir else None
        if memory and memory.is_file():
            return f"{key} {memory.read_text('utf-8', 'replace')}"
        with tempfile.TemporaryDirectory(prefix="assay-tool-") as folder:
            ran = run_bounded([program, *asked[1:]], folder=folder, seconds=_VERSION_SECONDS, limit=1 << 16)
        if ran.trouble or ran.code != 0:
            raise EngineMissing(
                f"{self.id} does not tell its version", why=words(ran.errors)[-300:], advice="Give the version as a string in the manifest."
            )
        said = plain(ran.output.decode("utf-8", "replace"))
        if memory:
            _remember(memory, said)
        return f"{key} {said}"


class _Budget(Struct):
    runs: int
    until: float


def _remember(memory: Path, said: str) -> None:
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=memory.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(said)
    Path(name).replace(memory)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _write(folder: str, inputs: list[Input], extra: dict[str, str]) -> list[dict[str, str]] | None:
    """Copies of the inputs; for each its written names with the members they stand for. None when a name leads elsewhere."""
    written: list[dict[str, str]] = []
    for at, given in enumerate(inputs):
        base = Path(folder, "in", _FOLDER.format(at))
        names: dict[str, str] = {}
        for part in given.parts:
            name = part.name or _file_name(given.dialect)
            if not _is_inside(name):
                return None
            target = base / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(part.content)
            names[name] = part.name
        written.append(names)
    for name, text in extra.items():
        target = Path(folder, "files", name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return written


def _file_name(dialect: str) -> str:
    if dialect.startswith("name:"):
        return dialect.removeprefix("name:")
    return f"input.{dialect}"
