"""``python -m assaymark.daemon``: serve the hook's handler, found by name so that the daemon's room knows nothing of the command line's."""

from __future__ import annotations

import sys
from importlib import import_module

from assaymark import hookclient
from assaymark.daemon.serve import Terms, serve

HANDLER = "assaymark.cli.hook"
"""A module with ``handle(request, write) -> int`` and, if it likes, ``warm() -> None`` and ``Spares``, see `serve.Spares`."""


def main(module: str = HANDLER, *, idle_seconds: float = 1800.0) -> int:
    """Serve until there is a reason to end; the exit code."""
    folder = hookclient.socket_folder()
    if not folder:
        sys.stderr.write("assay daemon: neither XDG_RUNTIME_DIR nor HOME says where a socket may be\n")
        return 1
    hook = import_module(module)
    spares = hook.Spares() if hasattr(hook, "Spares") else None
    return serve(hook.handle, Terms(folder=folder, idle_seconds=idle_seconds), warm=getattr(hook, "warm", None), spares=spares)


if __name__ == "__main__":
    sys.exit(main())
