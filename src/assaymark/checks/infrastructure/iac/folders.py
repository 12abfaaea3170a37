"""What the files of one folder declare: variables, locals, resources, calls of modules and their outputs; nothing evaluated.

Guarantees: the answer does not depend on the order of files. Override files (``override.tf``, ``*_override.tf``) replace attributes as
Terraform does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from assaymark.checks.infrastructure.iac.hcl import Attribute, Block, Body, File
from assaymark.checks.infrastructure.iac.json_form import json_file
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Part


class Declared(Struct):
    """One folder."""

    name: str
    """Relative to the unit; empty for its own folder."""
    variables: dict[str, Block] = {}
    locals: dict[str, Attribute] = {}
    resources: dict[tuple[str, str, str], list[Block]] = {}
    """(``resource`` or ``data``, type, name) -> the blocks; more than one is an error of the user, and both are looked at."""
    by_type: dict[str, list[tuple[str, str]]] = {}
    """Type -> (mode, name)."""
    modules: dict[str, Block] = {}
    outputs: dict[str, Attribute] = {}
    settings: list[tuple[str, list[Attribute], bool]] = []
    """Files of variables: name, contents, and whether Terraform reads them by itself."""
    problem: Unreadable | None = None
    """Why the folder can't be read; then nothing else is said."""


_MODES = ("resource", "data")


def declared(name: str, parts: Mapping[str, bytes]) -> Declared:
    """What the files of a folder say, by their names in it."""
    found = Declared(name)
    ordered = sorted(parts, key=lambda each: (_overrides(each), each))
    for file in ordered:
        try:
            body = _body(file, parts[file])
        except Unreadable as why:
            # The first by name speaks for the folder: which one is found must not depend on the order of reading.
            found.problem = found.problem or Unreadable(why.reason_class, f"{file}: {why.reason}", why.line)
            continue
        if file.endswith((".tfvars", ".tfvars.json")):
            automatic = file.startswith("terraform.tfvars") or ".auto.tfvars" in file
            found.settings.append((file, list(body.attributes.values()), automatic))
        else:
            _take(found, body, override=_overrides(file))
    return found


def _overrides(file: str) -> bool:
    stem = file.partition(".")[0]
    return stem == "override" or stem.endswith("_override")


@lru_cache(maxsize=256)
def _body(file: str, content: bytes) -> Body:
    """Parsed once per content: a module is part of every unit that calls it."""
    return json_file(file, content) if file.endswith(".json") else File(file, content).body


def _take(found: Declared, body: Body, *, override: bool) -> None:
    for block in body.blocks:
        labels = block.labels
        if block.type in _MODES and len(labels) == 2:
            key = (block.type, *labels)
            if override and key in found.resources:
                for each in found.resources[key]:
                    _lay_over(each.body, block.body)
                continue
            if key not in found.resources:
                found.by_type.setdefault(labels[0], []).append((block.type, labels[1]))
            found.resources.setdefault(key, []).append(block)
        elif block.type == "locals":
            found.locals |= block.body.attributes
        elif len(labels) == 1 and block.type == "variable":
            found.variables[labels[0]] = block
        elif len(labels) == 1 and block.type == "module":
            found.modules[labels[0]] = block
        elif len(labels) == 1 and block.type == "output" and "value" in block.body.attributes:
            found.outputs[labels[0]] = block.body.attributes["value"]


def _lay_over(body: Body, over: Body) -> None:
    kinds = {block.type for block in over.blocks}
    body.attributes |= over.attributes
    body.blocks = [block for block in body.blocks if block.type not in kinds] + over.blocks


def grouped(parts: Sequence[Part]) -> dict[str, dict[str, bytes]]:
    """A unit's parts by folder, relative to the unit."""
    found: dict[str, dict[str, bytes]] = {"": {}}
    for part in parts:
        folder, _, name = part.name.rpartition("/")
        found.setdefault(folder, {})[name] = part.content
    return found
