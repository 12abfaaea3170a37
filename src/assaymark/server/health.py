"""Whether the server of this machine answers, for health checks of containers: ``python -m assaymark.server.health``; exit code 0 or 1.

Asks over loopback, where ``ASSAYMARK_LISTEN`` says that the server is, with the standard library only: it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 4.0


def main() -> int:
    """Ask once; say on standard error what is wrong."""
    host, _, port = (os.environ.get("ASSAYMARK_LISTEN") or "127.0.0.1:8750").rpartition(":")
    name = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - everywhere means loopback as well
    connection = http.client.HTTPConnection(name, int(port), timeout=SECONDS)
    try:
        connection.request("GET", "/api/v1/health", headers={"Host": "localhost"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"the server does not answer: {error}\n")
        return 1
    finally:
        connection.close()
    if status != 200:
        sys.stderr.write(f"the server answers {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
