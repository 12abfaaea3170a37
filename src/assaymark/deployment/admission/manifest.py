"""Objects of Kubernetes as YAML to be applied: one document each, texts of several lines as such, the same input the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Without anchors, which `kubectl` reads and people do not."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its parameter
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def written(documents: Iterable[Mapping[str, Any]]) -> str:
    """As YAML."""
    return yaml.dump_all(documents, Dumper=_Dumper, explicit_start=True, sort_keys=False, allow_unicode=True, width=4096)


def read(text: str, *, strictly: bool = False) -> list[Mapping[str, Any]]:
    """The objects in a file of manifests; what is no object is left out.

    Raises:
        ValueError: when it is no YAML, or strictly, when it is another kind of file, which would name no image and pass.
    """
    try:
        found = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)[:300]) from error
    objects: list[Mapping[str, Any]] = [each for each in found if isinstance(each, dict)]
    if strictly and found and not any("kind" in each for each in objects):
        raise ValueError("nothing in it says of which kind it is")
    return objects
