"""Actions and reusable workflows that a GitHub workflow or a composite action uses, as packages ``owner/repository``.

A tag with three numbers is a version. A shorter one (``v4``) moves with the newest release of its line, see `versions.moving`.
Beside a commit, the release that the comment behind it names is the version (``@<hash> # v4.1.1``), as people and update bots write it;
whether the commit belongs to that release is not known here.
Local actions and ``docker://`` images are no packages; a branch, and a commit without its release, is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import text_of
from assaymark.checks.reading.yaml_tree import Items, Keyed, Scalar, Unreadable, documents

_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?\Z")
_TAG = re.compile(r"v?(?P<number>\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?)\Z")
_RELEASE = re.compile(r"#.*?(?<![\w.])v?(?P<number>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?![\w.])")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def read_github_actions(content: bytes) -> PackageSet:
    """What the workflow or action uses.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or is no mapping.
    """
    text = text_of(content)
    lines = text.split("\n")
    gathering = Gathering(knows_direct=True)
    for root in documents(text):
        if not isinstance(root, Keyed):
            raise Unreadable("schema", f"line {root.span.start_line}: a workflow is a mapping", root.span.start_line)
        for node in _uses(root):
            _take(gathering, node, lines)
    return gathering.finished()


def _uses(root: Keyed) -> Iterator[Scalar]:
    """Values of ``uses`` of jobs and of steps; a node that an anchor shares is met once."""
    jobs, runs = root.get("jobs"), root.get("runs")
    seen: set[int] = set()
    for job in [*(value for _, value in jobs.entries), runs] if isinstance(jobs, Keyed) else [runs]:
        steps = job.get("steps") if isinstance(job, Keyed) else None
        for place in (job, *(steps.entries if isinstance(steps, Items) else ())):
            node = place.get("uses") if isinstance(place, Keyed) else None
            if isinstance(node, Scalar) and id(node) not in seen:
                seen.add(id(node))
                yield node


def _take(gathering: Gathering, node: Scalar, lines: list[str]) -> None:
    where, _, ref = node.text.strip().partition("@")
    line = node.span.start_line
    if where.startswith(("./", "../", "docker:")) or where in {".", ""}:
        return
    found = _NAME.match(where)
    if found is None:
        gathering.problem(line, f"{one_line(where)} names no action; write owner/repository@release")
        return
    name = found.group()
    if _COMMIT.match(ref):
        beside = _RELEASE.search(lines[line - 1], node.span.end_column - 1) if line <= len(lines) else None
        if beside is None:
            gathering.problem(line, f"{name} is fixed by a commit without its release; write it as a comment behind it (`# v1.2.3`)")
        else:
            gathering.add(_package(name, beside["number"], line))
        return
    tag = _TAG.match(ref)
    if tag is None:
        gathering.problem(line, f"{name} follows a branch or a name that is no release; use a release, better its commit with a comment")
        return
    gathering.add(_package(name, tag["number"], line))


def _package(name: str, version: str, line: int) -> Package:
    return Package(name=name, version=version, ecosystem=Ecosystem.GITHUB_ACTIONS, line=line, direct=True)
