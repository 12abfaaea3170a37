"""Which releases of engines are installed, read from the names of their metadata folders.

`importlib.metadata` costs 20 ms to import and would be paid by every commit; a directory listing costs 0.2 ms.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.machinery import PathFinder

from assaymark.errors import EngineMissing


@cache
def installed(module: str, distribution: str) -> str:
    """The version of a distribution, or an empty text when its module cannot be imported here."""
    spec = PathFinder.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    wanted = distribution.replace("-", "_").lower() + "-"
    for name in _metadata_folders(spec.origin):
        if name.lower().startswith(wanted):
            return name[len(wanted) : -len(".dist-info")]
    return "unknown"


@cache
def _metadata_folders(origin: str) -> tuple[str, ...]:
    """Beside the package that the file belongs to; listed with `os`, because `pathlib` takes longer to import than to list."""
    folder = os.path.dirname(os.path.dirname(origin))  # noqa: PTH120
    return tuple(sorted(name for name in os.listdir(folder) if name.endswith(".dist-info")))  # noqa: PTH208


def grammars(*names: str) -> tuple[str, ...]:
    """Parser and grammars of `model.syntax_tree` with their releases.

    Raises:
        EngineMissing: when one is not installed.
    """
    from assaymark.model import syntax_tree  # noqa: PLC0415 - asked for by checks of languages alone

    modules = dict.fromkeys(("tree_sitter", *(syntax_tree.PLACES[name][0] for name in names)))
    found = {module: installed(module, module) for module in modules}
    missing = sorted(module for module, release in found.items() if not release)
    if missing:
        distribution = missing[0].replace("_", "-")
        raise EngineMissing(
            f"{distribution} is not installed", why="it reads source text", advice="Reinstall Assaymark with its dependencies."
        )
    return tuple(f"{module} {release}" for module, release in found.items())
