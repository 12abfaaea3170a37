"""From archives to the index: of a folder as it stands, or of addresses whose archives are kept for the next time.

The shell around `compiling`: reads, fetches, writes. Time comes in as an argument.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from assaymark.advisories.archives import Found, look, members, record_at
from assaymark.advisories.compiling import Collection, Compiled
from assaymark.advisories.download import Ask, Came, ask_directly, fetch, permitted
from assaymark.advisories.urgency import read_epss, read_kev
from assaymark.checks.application.dependencies.matching.records import Exploited
from assaymark.errors import UsageError

PUBLISHED = "https://osv-vulnerabilities.storage.googleapis.com"
"""Where OSV publishes ``<ecosystem>/all.zip``."""
KEV = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
EPSS = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
ECOSYSTEMS = ("PyPI", "npm", "Go", "crates.io", "Maven", "NuGet", "RubyGems", "Packagist", "Hex", "Pub", "GitHub Actions")
"""Those of lock files; distributions are fetched when they are named."""
SOURCES = "sources"

Note = Callable[[str], None]


def from_folder(folder: Path, index: Path, now: str, note: Note) -> Compiled:
    """Compile what the folder holds, and nothing else.

    Raises:
        UsageError: when it holds no advisories, or something that cannot be read.
    """
    return _compile(look(folder), index, {"compiled": now, "from": str(folder)}, note)


def from_address(  # noqa: PLR0913 - what, where to, when, and two ports
    base: str, ecosystems: Sequence[str], index: Path, now: str, note: Note, *, ask: Ask = ask_directly
) -> Compiled:
    """Fetch what changed at ``<base>/<ecosystem>/all.zip``, KEV and EPSS; then compile all that was ever fetched.

    Raises:
        UsageError: when an archive cannot be had; the index stays as it was.
    """
    base = permitted(base.rstrip("/"))
    folder = index.parent / SOURCES
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for ecosystem in ecosystems:
        if "/" in ecosystem or ecosystem.startswith("."):
            raise UsageError(f"there is no ecosystem {ecosystem!r}", advice=f"known are {', '.join(ECOSYSTEMS)}")
        came = fetch(f"{base}/{quote(ecosystem)}/all.zip", folder / f"{ecosystem}.zip", note=note, ask=ask)
        note(f"  {came}")
    official = base == PUBLISHED
    for name, url in (("kev.json", KEV if official else f"{base}/kev.json"), ("epss.csv.gz", EPSS if official else f"{base}/epss.csv.gz")):
        came = fetch(url, folder / name, may_be_absent=not official, note=note, ask=ask)
        note(f"  {came}")
        if came is Came.ABSENT:
            (folder / name).unlink(missing_ok=True)
    return _compile(look(folder), index, {"compiled": now, "from": base}, note)


def _compile(found: Found, index: Path, about: dict[str, str], note: Note) -> Compiled:
    collection = Collection()
    sources: dict[str, str] = {}
    for archive in found.archives:
        note(f"reading {archive.name}")
        sources[archive.name if archive.name != "all.zip" else f"{archive.parent.name}/all.zip"] = _digest(archive)
        for raw in members(archive):
            collection.add(raw)
    for path in found.records:
        collection.add(record_at(path))
    if found.records:
        sources["records beside"] = str(len(found.records))
    exploited: dict[str, Exploited] = {}
    for path in found.kev:
        sources[path.name] = _digest(path)
        exploited |= read_kev(path.read_bytes(), path.name)
    epss: dict[str, tuple[float, float]] = {}
    for path in found.epss:
        sources[path.name] = _digest(path)
        epss |= read_epss(path.read_bytes(), path.name)
    if collection.is_empty():
        raise UsageError(
            "none of what is there is an OSV record",
            why="an index without advisories proves nothing",
            advice="name a folder with OSV archives; the index stays as it was",
        )
    note("writing the index")
    return collection.write(index, exploited, epss, {**about, "sources": json.dumps(sources)})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
