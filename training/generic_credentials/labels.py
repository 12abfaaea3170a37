"""CredData's labels beside the files that they speak of, read from git repositories at the pinned commits.

Nothing is written: contents stay in memory, and nothing of the labelled data is kept in this repository.
A repository that is missing, or lacks its pinned commit, is left out; the caller says how many there were.
"""

from __future__ import annotations

import binascii
import csv
import hashlib
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

IDENTIFIERS = frozenset({"UUID", "AWS Client ID", "AWS S3 Bucket", "Firebase Domain", "Nonce", "Salt", "Tencent WeChat API App ID"})
"""Categories of CredData that name something but open nothing; neither asked for nor counted against anybody."""


class Label(Struct, frozen=True):
    """One row of CredData's tables: a region of lines that somebody judged."""

    first: int
    last: int
    true: bool
    start: int | None
    """Column of the value from 0, where CredData gives it."""
    end: int | None
    category: str

    @property
    def lines(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def identifies_only(self) -> bool:
        return set(self.category.split(":")) <= IDENTIFIERS


class LabelledFile(Struct, frozen=True):
    """A file of a pinned repository and everything that was said of it."""

    repository: str
    """CredData's short name of the repository."""
    path: str
    content: bytes
    labels: tuple[Label, ...]

    def lines_of(self, *, true: bool) -> set[int]:
        """Numbers of the lines with labels of one kind; identifiers count as neither."""
        return {line for label in self.labels if label.true == true and not (true and label.identifies_only) for line in label.lines}


def labelled_files(labels: Path, repositories: Path) -> Iterator[LabelledFile]:
    """Every labelled file of every repository that is at hand, in the order of CredData's snapshot.

    Args:
        labels: a checkout of Samsung/CredData (``snapshot.json`` and ``meta/``).
        repositories: a folder with git repositories named ``owner+name`` (bare, mirrored or with a work tree).
    """
    snapshot: dict[str, str] = json.loads((labels / "snapshot.json").read_text("utf-8"))
    for name, url in sorted(snapshot.items()):
        folder = _repository(repositories, url)
        short = f"{binascii.crc32(binascii.unhexlify(name)):08x}"
        table = labels / "meta" / f"{short}.csv"
        if folder is not None and table.exists():
            yield from _files(folder, name[:40], short, _rows(table))


def _repository(repositories: Path, url: str) -> Path | None:
    place = repositories / "+".join(url.removesuffix(".git").split("/")[-2:])
    return next((folder for folder in (place, place / "repo") if (folder / "HEAD").exists() or (folder / ".git").exists()), None)


def _rows(table: Path) -> Mapping[str, list[Label]]:
    """Labels per file id."""
    rows: dict[str, list[Label]] = defaultdict(list)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start, end = row["ValueStart"], row["ValueEnd"]
            label = Label(
                first=int(row["LineStart"]),
                last=int(row["LineEnd"]),
                true=row["GroundTruth"] == "T",
                start=int(start) if start else None,
                end=int(end) if end else None,
                category=row["Category"],
            )
            rows[row["FileID"]].append(label)
    return rows


def _files(folder: Path, commit: str, repository: str, rows: Mapping[str, list[Label]]) -> Iterator[LabelledFile]:
    listed = subprocess.run(["git", "-C", str(folder), "ls-tree", "-r", "-z", "--name-only", commit], capture_output=True, check=False)
    if listed.returncode:
        return
    for path in filter(None, listed.stdout.decode("utf-8", "surrogateescape").split("\0")):
        known = rows.get(hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8])
        if known:
            shown = subprocess.run(["git", "-C", str(folder), "show", f"{commit}:{path}"], capture_output=True, check=False)
            if shown.returncode == 0:
                yield LabelledFile(repository, path, shown.stdout, tuple(known))
