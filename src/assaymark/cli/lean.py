"""Imports msgspec without what it looks for on behalf of others: a hook without the daemon pays for every import at every commit.

Guarantees that everything is importable afterwards, and that what was loaded before is left alone. Changes no behaviour of msgspec for
types that are made with `typing` alone, which ours are; from Python 3.11 on it takes the same functions from there.
"""

from __future__ import annotations

import sys
from importlib import import_module

_NOT_NEEDED = "typing_extensions"
"""Where another package has brought it, msgspec prefers it to `typing`, which costs an eighth of a hook's time."""


def load_msgspec() -> None:
    """Load it as on a machine that has the standard library alone."""
    if _NOT_NEEDED in sys.modules or "msgspec" in sys.modules:
        return
    # For `import`, None says that there is no such module.
    sys.modules[_NOT_NEEDED] = None  # type: ignore[assignment]
    try:
        import_module("msgspec")
    finally:
        del sys.modules[_NOT_NEEDED]
