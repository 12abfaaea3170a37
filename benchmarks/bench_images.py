"""How long an image takes: a layer of a gigabyte the first time, and again.

The layer is made up: as many members as a Debian image of that size has, a third of them text, the others what programs look like to a
packer. It is listed as a docker archive (not packed) and as an OCI layout (gzip): with nothing known, again, and from a fresh copy of which
only the digests are known. Disk reads are not part of it: the files were just written.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.subjects.image.subject import ImageSubject

MEMBERS = 18_500
"""Of a gigabyte, as measured on a Debian image with a compiler and a Java runtime."""


def write_layer(path: Path, size: int) -> str:
    """A layer of about so many bytes; returns its diff-id."""
    chance = random.Random(4)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5_000)]
    page = b" ".join(chance.choices(words, k=200_000))
    code = b"".join(chance.randbytes(700) + bytes(300) for _ in range(2_000))
    count = max(10, MEMBERS * size // (1 << 30))
    shares = [min(chance.paretovariate(1.05), 800.0) for _ in range(count)]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as layer:
        for number, share in enumerate(shares):
            info = tarfile.TarInfo(f"usr/lib/package-{number % 400}/folder-{number % 7}/file-{number}")
            info.size = int(share * size / sum(shares))
            layer.addfile(info, cast("BinaryIO", Repeated(page if number % 3 == 0 else code, chance.randrange(1000), info.size)))
    return "sha256:" + digest(path)


class Repeated:
    """A text over and over, as a file."""

    def __init__(self, source: bytes, start: int, size: int) -> None:
        self._source, self._at, self._left = source, start, size

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else self._left, self._left)
        times = (self._at + size) // len(self._source) + 1
        data = (self._source * times)[self._at : self._at + size]
        self._at = (self._at + size) % len(self._source)
        self._left -= size
        return data


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_images(folder: Path, size: int) -> Iterator[tuple[str, Path]]:
    """The same image in two forms."""
    layer = folder / "layer.tar"
    diff_id = write_layer(layer, size)
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["bench:1"], "Layers": ["layer.tar"]}]).encode()
    docker = folder / "docker.tar"
    with tarfile.open(docker, "w") as archive:
        archive.add(layer, "layer.tar")
        for name, data in (("config.json", config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    yield "docker archive", docker
    yield "OCI layout, gzip", write_layout(folder / "oci", layer, config)


def write_layout(place: Path, layer: Path, config: bytes) -> Path:
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    with layer.open("rb") as plain, gzip.open(blobs / "layer", "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    name = digest(blobs / "layer")
    (blobs / "layer").rename(blobs / name)

    def blob(data: bytes) -> str:
        found = hashlib.sha256(data).hexdigest()
        (blobs / found).write_bytes(data)
        return f"sha256:{found}"

    manifest = {"config": {"digest": blob(config)}, "layers": [{"digest": f"sha256:{name}"}]}
    index = {"manifests": [{"digest": blob(json.dumps(manifest).encode())}]}
    (place / "index.json").write_text(json.dumps(index))
    (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return place


def listed(path: Path, cache: Path) -> measure.Cost:
    """What listing costs; threads of this process are counted, wherever they ran."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in ImageSubject(str(path), cache=str(cache)).entries())
    cost = measure.Cost(time.perf_counter() - wall, time.process_time() - cpu)
    if not count:
        raise SystemExit("the image is empty")
    return cost


def case(path: Path, cache: Path, rounds: int) -> dict[str, Any]:
    """First, again, and a fresh copy; the least of some rounds each."""
    firsts = []
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        firsts.append(listed(path, cache))
    listed(path, cache)  # a file that was just written is not trusted by its times; by now it is old enough
    again = [listed(path, cache) for _ in range(rounds * 3)]
    copy = path.with_name(f"copy of {path.name}")
    shutil.copytree(path, copy) if path.is_dir() else shutil.copyfile(path, copy)
    fresh = [listed(copy, cache)]
    shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
    return {name: _least(costs) for name, costs in (("first", firsts), ("again", again), ("fresh copy", fresh))}


def _least(costs: list[measure.Cost]) -> dict[str, float]:
    return {"wall_seconds": round(min(c.wall for c in costs), 4), "cpu_seconds": round(min(c.cpu for c in costs), 4)}


def run(size: int, rounds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"bytes": size}
    with measure.bench_folder() as home:
        for name, path in write_images(home, size):
            os.sync()
            time.sleep(2.5)
            figures[name] = case(path, home / "cache", rounds)
            for what, cost in figures[name].items():
                print(f"  {name:20}{what:12}{cost['wall_seconds']:9.4f} s wall{cost['cpu_seconds']:9.4f} s CPU", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the layer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce("images")
    figures = run(options.mib << 20, options.rounds)
    if not options.dry:
        measure.write("images", facts, figures)


if __name__ == "__main__":
    main()
