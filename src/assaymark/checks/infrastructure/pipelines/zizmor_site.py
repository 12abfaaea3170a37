"""The address of a zizmor finding: names instead of positions, so that it stays when other steps come and go."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.checks.infrastructure.pipelines.zizmor_process import Audited, Fragment, Location
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.checks.rulebook import one_line
from assaymark.model.finding import ConfigurationSite

_LABEL_LENGTH = 60
_HIDES_VALUES = frozenset({"hardcoded-container-credentials"})
"""Audits whose fragment may be the secret itself."""
_USER_IN_ADDRESS = re.compile(r"://[^/\s@]*@")


def site_of(finding: Audited, root: Node | None, dialect: str) -> ConfigurationSite:
    """Where in the configuration the finding is, and what is wrong there."""
    primary = finding.primary
    named, rest = _resource(primary.symbolic.route.route, root)
    attribute = ".".join(part.key if part.key is not None else f"[{_label_at(rest, at, root, named)}]" for at, part in enumerate(rest))
    attribute = attribute.replace(".[", "[")
    wrong = "" if finding.ident in _HIDES_VALUES else _wrong(primary)
    text = f"{attribute}: {wrong}" if attribute and wrong else attribute or wrong
    return ConfigurationSite(resource=one_line(_render(named, root)) or dialect, attribute=one_line(text))


def _resource(route: tuple[Fragment, ...], root: Node | None) -> tuple[tuple[Fragment, ...], tuple[Fragment, ...]]:
    """Splits a route into the thing that has a name of its own (a job, a step, an update) and the key path below it."""
    if root is None:
        return (), route
    cut = 0
    for at, part in enumerate(route):
        in_list = part.index is not None and at > 0 and route[at - 1].key in {"steps", "updates"}
        is_job = at == 1 and route[0].key == "jobs" and part.key is not None
        if in_list or is_job:
            cut = at + 1
    return route[:cut], route[cut:]


def _render(route: Sequence[Fragment], root: Node | None) -> str:
    parts: list[str] = []
    node = root
    for part in route:
        node = _below(node, part)
        if part.key is not None:
            parts.append(("." if parts else "") + part.key)
        else:
            parts.append(f"[{_label(node)}]")
    return "".join(parts)


def _label_at(rest: Sequence[Fragment], at: int, root: Node | None, named: Sequence[Fragment]) -> str:
    node = root
    for part in (*named, *rest[: at + 1]):
        node = _below(node, part)
    return _label(node)


def _below(node: Node | None, part: Fragment) -> Node | None:
    if isinstance(node, Keyed) and part.key is not None:
        return node.get(part.key)
    if isinstance(node, Items) and part.index is not None and 0 <= part.index < len(node.entries):
        return node.entries[part.index]
    return None


def _label(node: Node | None) -> str:
    """What people would call an entry of a list."""
    if isinstance(node, Scalar):
        return _cut(node.text)
    if not isinstance(node, Keyed):
        return "?"
    ecosystem = scalar_text(node.get("package-ecosystem"))
    if ecosystem:
        return _cut(f"{ecosystem} {scalar_text(node.get('directory'))}".strip())
    uses = scalar_text(node.get("uses")).partition("@")[0]
    run = scalar_text(node.get("run")).strip().partition("\n")[0]
    return _cut(scalar_text(node.get("name")) or uses or scalar_text(node.get("id")) or run) or "?"


def _cut(text: str) -> str:
    return " ".join(text.split())[:_LABEL_LENGTH]


def _wrong(location: Location) -> str:
    """The part of the value that the finding is about; a reference without its version, so that raising it changes nothing."""
    kind = location.symbolic.feature_kind
    fragment = kind.get("Subfeature", {}).get("fragment") if isinstance(kind, dict) else None
    raw = fragment.get("Raw", "") if isinstance(fragment, dict) else ""
    if not isinstance(raw, str):
        return ""
    text = _USER_IN_ADDRESS.sub("://", " ".join(raw.split()))
    last = location.symbolic.route.route[-1].key if location.symbolic.route.route else ""
    if last == "uses":
        return text.partition("@")[0]
    if last == "image":
        return re.sub(r"(?::[\w.-]+)?(?:@sha256:\w+)?$", "", text)
    return text
