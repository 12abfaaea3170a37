"""How much a look at a whole tree costs beside AIDE and mtree, and how soon drift of a container is known.

    python benchmarks/bench_drift.py [--rounds N] [--dry]

The tree is a copy of Debian's base system and some packages as this machine has them, as debootstrap would make it. Every tool checks
it against its own database or manifest and finds nothing, then one changed file: SHA-256 of contents, types, permissions, owners, sizes,
links; AIDE and we also extended attributes. CPU is user + system of the whole process, start included, file cache warm.

Containers: an overlay as container runtimes mount them; the time from a write inside until the drift is in hand, by a look at the upper
directory, and by the kernel's word. A machine without a tool has no row for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from msgspec import Struct

_MORE = ("perl", "python3", "git", "nginx")
"""Packages that an image of a small service has beside Debian's own base."""
_AIDE = "database_in=file:{folder}/aide.db\ndatabase_out=file:{folder}/aide.new\ngzip_dbout=no\nlog_level=warning\n{tree} {what}\n"
_WHAT = "ftype+p+u+g+n+s+l+sha256+xattrs+caps"
_KEYWORDS = "type,mode,uid,gid,size,sha256,link,device"


class Tool(Struct, frozen=True):
    """One that tells whether a tree changed."""

    prepare: Callable[[], object]
    check: Sequence[str]
    clean: int
    """Exit code when nothing changed; any other one says that something did."""


def planted(folder: Path, packages: Sequence[str] = _MORE) -> Path:
    """A small system: what Debian calls required, important and standard, and some more with all that they need at once."""
    tree, paths = folder / "tree", set[str]()
    for name in _base() | {each for first in packages for each in _with_needs(first)}:
        paths.update(_asked("dpkg-query", "-L", name))
    for path in sorted(paths):
        source, target = Path(path), tree / path.strip("/")
        try:
            if source.is_dir() and not source.is_symlink():
                target.mkdir(parents=True, exist_ok=True)
            elif source.is_symlink() or source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        except OSError:
            continue  # what this user may not read, or was taken out of an image, is not part of the tree
    return tree


def _base() -> set[str]:
    rows = (line.split() for line in _asked("dpkg-query", "-W", "-f", "${Package} ${Priority} ${Essential}\n"))
    return {row[0] for row in rows if len(row) == 3 and (row[1] in {"required", "important", "standard"} or row[2] == "yes")}


def _with_needs(package: str) -> set[str]:
    said = " ".join(_asked("dpkg-query", "-W", "-f", "${Depends} ${Pre-Depends}\n", package))
    return {package, *(each.split()[0].partition(":")[0] for part in said.split(",") for each in part.split("|") if each.strip())}


def _asked(*words: str) -> list[str]:
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return ran.stdout.splitlines() if not ran.returncode else []


def tools(folder: Path, tree: Path, env: Mapping[str, str]) -> dict[str, Tool]:
    """Those that are installed; each prepared on the tree as it is."""
    manifest, memory = folder / "manifest", folder / "memory"

    def ours() -> None:
        measure.timed(measure.assay("drift", str(tree), "--write-manifest", str(manifest)), folder, env)

    def remembering() -> None:
        time.sleep(2.5)  # what changed a moment ago is not remembered
        measure.timed([*found["assay drift"].check, "--memory", str(memory)], folder, env)

    drift = measure.assay("drift", str(tree), "--manifest", str(manifest))
    found = {"assay drift": Tool(ours, drift, 0), "assay drift --memory": Tool(remembering, [*drift, "--memory", str(memory)], 0)}
    if aide := measure.tool("aide"):
        conf = folder / "aide.conf"

        def init() -> None:
            conf.write_text(_AIDE.format(folder=folder, tree=tree, what=_WHAT))
            measure.timed([aide, "--config", str(conf), "--init"], folder, env)
            (folder / "aide.new").replace(folder / "aide.db")

        found["aide --check"] = Tool(init, [aide, "--config", str(conf), "--check"], 0)
    if mtree := measure.tool("mtree") or measure.tool("mtree-netbsd"):
        spec = folder / "spec.mtree"

        def describe() -> None:
            with spec.open("wb") as file:
                subprocess.run([mtree, "-c", "-k", _KEYWORDS, "-p", str(tree)], stdout=file, check=True, env=dict(env))

        found["mtree"] = Tool(describe, [mtree, "-f", str(spec), "-p", str(tree)], 0)
    return found


def costs(folder: Path, tree: Path, rounds: int) -> dict[str, list[measure.Cost]]:
    """Of checking an untouched tree; every tool has to notice a change first, so that no figure is of one that looked away."""
    env = measure.environment(folder / "home")
    found = tools(folder, tree, env)
    for tool in found.values():
        tool.prepare()
    victim = next(path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink() and path.stat().st_size)
    data, status = victim.read_bytes(), victim.stat()
    victim.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    blind = [name for name, tool in found.items() if _code(tool, folder, env) == tool.clean]
    victim.write_bytes(data)
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    if blind:
        raise SystemExit(f"{', '.join(blind)} did not notice a changed file")
    found["assay drift --memory"].prepare()
    cases = {name: lambda _, tool=tool: measure.timed(tool.check, folder, env, codes=(tool.clean,)) for name, tool in found.items()}
    return measure.interleaved(cases, rounds)


def _code(tool: Tool, folder: Path, env: Mapping[str, str]) -> int:
    return subprocess.run(list(tool.check), cwd=folder, env=dict(env), capture_output=True, check=False).returncode


# --- containers ------------------------------------------------------------------------------------------------------


@contextmanager
def overlay(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path] | None]:
    """Upper, lowers, and where a container works; None where none can be mounted."""
    lower, upper, work, merged = (folder / name for name in ("lower", "upper", "work", "merged"))
    for each in (lower / "srv", upper, work, merged):
        each.mkdir(parents=True)
    for number in range(200):
        (lower / "srv" / f"page-{number}").write_text(f"page {number}\n")
    words = f"lowerdir={lower},upperdir={upper},workdir={work}"
    ran = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", words, str(merged)], capture_output=True, check=False)
    if ran.returncode:
        yield None
        return
    try:
        yield str(upper), (str(lower),), merged
    finally:
        subprocess.run(["umount", "-l", str(merged)], check=False)


def container(rounds: int) -> dict[str, list[float]]:
    """Seconds until a drift is known, by each way."""
    from assaymark.deployment.drift import upper, watching  # noqa: PLC0415
    from assaymark.deployment.drift.drifted import Cause, Drift  # noqa: PLC0415
    from assaymark.deployment.drift.stance import Found, Plain, Stance  # noqa: PLC0415
    from assaymark.errors import EngineMissing  # noqa: PLC0415
    from assaymark.model.assessment import Instant  # noqa: PLC0415

    stance, took = Stance(Plain(), Instant(0)), dict[str, list[float]]()

    def drift(found: Found, cause: Cause | None) -> Drift:
        return stance.drift("web-1", found, cause)

    with tempfile.TemporaryDirectory(prefix="assay-b") as folder, overlay(Path(folder)) as made:
        if made is None:
            return took
        top, lowers, merged = made
        for number in range(rounds):
            (merged / "srv" / f"page-{number}").write_text("other\n")
            start = time.perf_counter()
            found = upper.changes(top, lowers)
            took.setdefault("look at the upper directory", []).append(time.perf_counter() - start)
            assert len(found) == number + 1
        try:
            left = [0.0]
            rows = watching.watch(watching.UpperLook(top, lowers, upper.noise()), drift, lambda: left[0])
            next(rows)
            left[0] = 1.0
            for number in range(rounds):
                start = time.perf_counter()
                (merged / "srv" / f"page-{rounds + number}").write_text("other\n")
                while not next(rows):
                    pass
                took.setdefault("the kernel's word", []).append(time.perf_counter() - start)
                while next(rows):
                    pass
                time.sleep(0.02)
        except EngineMissing:
            pass
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    facts = measure.announce("Drift: a whole tree beside AIDE and mtree, and a container")
    with measure.bench_folder() as folder:
        tree = planted(folder)
        sizes = [path.lstat().st_size for path in tree.rglob("*") if path.is_symlink() or path.is_file()]
        entries, megabytes = sum(1 for _ in tree.rglob("*")), round(sum(sizes) / 1e6)
        print(f"  {entries} entries, {megabytes} MB")
        taken = costs(folder, tree, given.rounds)
    figures = {name: measure.summary(each) for name, each in taken.items()}
    least = {name: min(cost.cpu for cost in each) for name, each in taken.items()}
    ours = least["assay drift"]
    measure.table(
        [
            [
                name,
                f"{figures[name]['cpu_ms_median']:.0f}",
                f"{cpu * 1000:.0f}",
                f"{cpu / ours:.1f}",
                f"{figures[name]['wall_ms_least']:.0f}",
            ]
            for name, cpu in least.items()
        ],
        ["check of an untouched tree", "cpu ms median", "least", "times ours", "wall ms least"],
    )
    ways = container(20)
    milliseconds = {
        name: {"median_ms": round(statistics.median(each) * 1000, 2), "most_ms": round(max(each) * 1000, 2)} for name, each in ways.items()
    }
    measure.table(
        [[name, *each.values()] for name, each in milliseconds.items()], ["drift of a container, from the write on", "median ms", "most ms"]
    )
    if not given.dry:
        ratios = {name: round(cpu / ours, 2) for name, cpu in least.items()}
        measure.write(
            "drift",
            facts,
            {"entries": entries, "megabytes": megabytes, "check": figures, "cpu_beside_ours": ratios, "container": milliseconds},
        )


if __name__ == "__main__":
    main()
