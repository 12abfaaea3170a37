"""A GitLab CI file as jobs, with what they inherit inside the file.

Every piece of the text belongs to exactly one owner: a flaw in an anchor or hidden job is told there, once, and not in each job
that uses it.
Does not fetch includes: what other files add is judged in those files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.yaml_check import OtherFormat
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, documents, scalar_text
from assaymark.model.finding import Span

_GLOBAL: Final = frozenset(
    {
        "after_script",
        "before_script",
        "cache",
        "default",
        "image",
        "include",
        "services",
        "spec",
        "stages",
        "types",
        "variables",
        "workflow",
    }
)
_SCRIPTS: Final = ("before_script", "script", "after_script", "pre_get_sources_script")
_INHERITS_AT_MOST = 30


class Job(Struct, frozen=True, eq=False):
    """A job, a hidden job or ``default``."""

    name: str
    key: Span
    node: Keyed

    @property
    def hidden(self) -> bool:
        return self.name.startswith(".")


class Gitlab(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    top: dict[str, Node]
    """The file's own keys."""
    jobs: tuple[Job, ...]
    """With ``default`` and hidden ones, in the order of the text."""
    scripts: tuple[Script, ...]
    lines: tuple[str, ...]

    def effective(self, job: Job, name: str) -> Node | None:
        """The value that a job has for a key, after merge keys and ``extends`` within this file, then ``default``."""
        found = _look_up(self.top, job.node, name)
        if found is not None or job.hidden:
            return found
        default = self.top.get("default")
        return default.get(name) if isinstance(default, Keyed) else None

    def owners(self, name: str) -> Iterator[tuple[str, Node]]:
        """Each place where a key is written: the file itself (``pipeline``), ``default``, jobs; every node once."""
        seen: set[int] = set()
        whole = self.top.get(name)
        places = [("pipeline", whole)] if whole is not None else []
        places += [(job.name, value) for job in self.jobs for key, value in job.node.named() if key.text == name]
        for owner, value in places:
            if id(value) not in seen:
                seen.add(id(value))
                yield owner, value


def _look_up(top: dict[str, Node], node: Keyed, name: str) -> Node | None:
    """Own value, else that of merge keys, else that of the last parent that has one; a bounded number of places is asked."""
    waiting = [node]
    asked: set[int] = set()
    while waiting and len(asked) < _INHERITS_AT_MOST:
        current = waiting.pop()
        if id(current) in asked:
            continue
        asked.add(id(current))
        own = current.get(name)
        if own is not None:
            return own
        waiting.extend(_above(top, current))
    return None


def _above(top: dict[str, Node], node: Keyed) -> Iterator[Keyed]:
    """What a mapping inherits from, the strongest last."""
    extends = node.get("extends")
    names = [extends] if isinstance(extends, Scalar) else extends.entries if isinstance(extends, Items) else []
    for parent in names[-_INHERITS_AT_MOST:]:
        base = top.get(scalar_text(parent))
        if isinstance(base, Keyed):
            yield base
    merged = node.get("<<")
    for each in merged.entries[-_INHERITS_AT_MOST:] if isinstance(merged, Items) else [merged]:
        if isinstance(each, Keyed):
            yield each


def read(text: str) -> Gitlab | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or is no mapping of jobs.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[-1]
    if not isinstance(root, Keyed):
        line = root.span.start_line
        raise Unreadable("schema", f"line {line}: a GitLab CI file is a mapping of jobs", line)
    jobs = tuple(_jobs(root))
    scripts = tuple(_scripts(root, jobs))
    return Gitlab(root, {key.text: value for key, value in root.named()}, jobs, scripts, tuple(text.split("\n")))


def read_component(text: str) -> Gitlab | None:
    """The template of a CI component: its first document is a header with ``spec``.

    Raises:
        Unreadable: as `read` does.
        OtherFormat: when there is no such header.
    """
    first = documents(text)[:1]
    if not first or not isinstance(first[0], Keyed) or first[0].get("spec") is None:
        raise OtherFormat
    return read(text)


def _jobs(root: Keyed) -> Iterator[Job]:
    for key, value in root.named():
        if isinstance(value, Keyed) and (key.text == "default" or key.text not in _GLOBAL):
            yield Job(key.text, key.span, value)


def _scripts(root: Keyed, jobs: tuple[Job, ...]) -> Iterator[Script]:
    seen: set[int] = set()
    for key, value in root.named():
        if isinstance(value, Items) and key.text.startswith("."):
            yield from script(key.text, "script", value, seen)
        elif key.text in _SCRIPTS:
            yield from script("default", key.text, value, seen)
    for job in jobs:
        hooks = job.node.get("hooks")
        for node in (job.node, hooks):
            if isinstance(node, Keyed):
                for key, value in node.named():
                    if key.text in _SCRIPTS:
                        yield from script(job.name, key.text, value, seen)
        yield from _run_steps(job, seen)


def _run_steps(job: Job, seen: set[int]) -> Iterator[Script]:
    steps = job.node.get("run")
    for step in steps.entries if isinstance(steps, Items) else ():
        if isinstance(step, Keyed) and step.get("script") is not None:
            yield from script(job.name, f"run[{scalar_text(step.get('name'))}]", step.get("script"), seen)
