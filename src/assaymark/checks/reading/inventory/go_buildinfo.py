"""What a Go program says it was built from: the text that ``go version -m`` prints, as it stands in the program.

The image subject finds it in the program and offers it as ``<program>//go-buildinfo``.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set, text_of
from assaymark.checks.reading.yaml_tree import Unreadable


def read_go_buildinfo(content: bytes) -> PackageSet:
    """The modules, and Go's own library as the module ``stdlib``.

    Raises:
        Unreadable: when it is none.
    """
    lines = text_of(content).split("\n")
    if not lines[0].startswith("go"):
        raise Unreadable("format", "The program's build information is damaged; build it again.")
    return package_set(_packages(lines))


def _packages(lines: list[str]) -> Iterator[Package]:
    version = lines[0].removeprefix("go").split(" ")[0].split("-")[0]
    yield Package(name="stdlib", version=version, ecosystem=Ecosystem.GO, line=1)
    waiting: tuple[str, str, int] | None = None
    for number, line in enumerate([*lines[1:], ""], 2):
        words = line.split("\t")
        if words[0] == "=>" and len(words) >= 3:
            waiting = (words[1], words[2], number)  # what was built instead of the line before
            continue
        if waiting is not None:
            name, found, where = waiting
            if found not in {"", "(devel)"}:
                yield Package(name=name, version=found, ecosystem=Ecosystem.GO, line=where)
        waiting = (words[1], words[2], number) if words[0] in {"dep", "mod"} and len(words) >= 3 else None
