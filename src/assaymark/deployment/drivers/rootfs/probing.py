"""One try whether an instance answers."""

from __future__ import annotations

import http.client
import socket

from assaymark.deployment.drivers.driver import Health
from assaymark.deployment.drivers.rootfs.options import Options

_GOOD = range(200, 400)


def probed(options: Options, address: str) -> Health:
    """HTTP: a status from 200 to 399; redirects are not followed. TCP: it accepts."""
    if options.probe == "none":
        return Health(ok=True, text="it runs")
    host, _, port = address.rpartition(":")
    try:
        if options.probe == "tcp":
            with socket.create_connection((host, int(port)), timeout=options.probe_seconds):
                return Health(ok=True, text="it accepts connections")
        return _asked(host, int(port), options)
    except (OSError, http.client.HTTPException) as error:
        return Health(ok=False, text=f"{address} does not answer: {error}")


def _asked(host: str, port: int, options: Options) -> Health:
    connection = http.client.HTTPConnection(host, port, timeout=options.probe_seconds)
    try:
        connection.request("GET", options.probe_path, headers={"User-Agent": "assaymark-probe", "Connection": "close"})
        status = connection.getresponse().status
    finally:
        connection.close()
    return Health(ok=status in _GOOD, text=f"it answers {status} at {options.probe_path}")
