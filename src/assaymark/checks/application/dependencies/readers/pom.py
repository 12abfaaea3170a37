"""Maven's ``pom.xml``: the exact versions that stand in the file itself, after its own properties.

What comes from a parent, an imported list of versions or the network is a problem and no guess. Nor does the file name what its
dependencies bring along: that is a problem of the whole file.
"""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.xml_text import Element, elements
from assaymark.checks.reading.yaml_tree import Unreadable

_MOST_STEPS = 50
_LONGEST = 2_000
_PROPERTY = re.compile(r"\$\{([^{}$]+)\}")
_EXACT = re.compile(r"\[([^\[\](),]+)\]\Z")
_RESOLVE = "resolve it where the network is, for instance with CycloneDX's Maven plug-in, and keep the bill of materials"


def read_pom(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no ``pom.xml``.
    """
    project = elements(content)
    if project.name != "project":
        raise Unreadable("schema", f"the root is {one_line(project.name, 40)} and not project")
    properties = _properties(project)
    places = [project, *(each for group in project.all("profiles") for each in group.all("profile"))]
    managed = _managed(places, properties)
    gathering = Gathering(knows_direct=True)
    asked = [each for place in places for group in place.all("dependencies") for each in group.all("dependency")]
    for each in asked:
        _add(gathering, each, properties, managed)
    if asked:
        gathering.problem(asked[0].line, f"a pom.xml does not name what its dependencies bring along; {_RESOLVE}")
    return gathering.finished()


def _add(gathering: Gathering, each: Element, properties: dict[str, str], managed: dict[str, str]) -> None:
    name = ":".join(_filled(each.text_of(part), properties) for part in ("groupId", "artifactId"))
    version = _exact(_filled(each.text_of("version"), properties) or managed.get(name, ""))
    scope = _filled(each.text_of("scope"), properties)
    if not version or "${" in name or "${" in version:
        gathering.problem(each.line, f"{one_line(name)} names no exact version in this file; {_RESOLVE}")
        return
    source = Source.PATH if scope == "system" else Source.REGISTRY
    gathering.add(Package(name, version, Ecosystem.MAVEN, each.line, direct=True, development=scope == "test", source=source))


def _managed(places: list[Element], properties: dict[str, str]) -> dict[str, str]:
    """Versions that the file itself sets for whoever names none."""
    found: dict[str, str] = {}
    for place in places:
        for group in place.all("dependencyManagement"):
            for each in (entry for rows in group.all("dependencies") for entry in rows.all("dependency")):
                name = ":".join(_filled(each.text_of(part), properties) for part in ("groupId", "artifactId"))
                found.setdefault(name, _filled(each.text_of("version"), properties))
    return found


def _properties(project: Element) -> dict[str, str]:
    parent = project.child("parent") or Element("parent", 0)
    own = {name: project.text_of(name) or parent.text_of(name) for name in ("groupId", "artifactId", "version")}
    made = {f"{prefix}{name}": value for name, value in own.items() for prefix in ("project.", "pom.", "")}
    made.update({f"project.parent.{name}": parent.text_of(name) for name in own})
    for group in project.all("properties"):
        made.update({child.name: child.text.strip() for child in group.children})
    return {name: value for name, value in made.items() if value}


def _filled(text: str, properties: dict[str, str]) -> str:
    """Text with its properties; what is not known or refers to itself stays as written."""
    for _ in range(_MOST_STEPS):
        found = _PROPERTY.search(text)
        if found is None or found[1] not in properties or len(text) > _LONGEST:
            break
        text = text[: found.start()] + properties[found[1]] + text[found.end() :]
    return text if len(text) <= _LONGEST else ""


def _exact(version: str) -> str:
    """A version; empty for a range and for words that mean whatever is newest."""
    found = _EXACT.match(version)
    if found:
        return found[1].strip()
    return "" if version[:1] in "[(" or version in {"LATEST", "RELEASE"} else version
