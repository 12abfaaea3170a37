"""One try whether an instance answers."""

from __future__ import annotations

import http.client
import socket

from assaymark.deployment.drivers.driver import Health
from assaymark.deployment.drivers.podman.options import Options
from assaymark.deployment.edge.table import split


def probed(options: Options, address: str) -> Health:
    """HTTP: a status from 200 to 399; redirects are not followed. TCP: it accepts."""
    if options.probe == "none":
        return Health(ok=True, text="it runs")
    if not address:
        return Health(ok=False, text="it has no address")
    host, port = split(address)
    seconds = float(options.probe_seconds)
    if options.probe == "tcp":
        return _tcp(host, port, seconds)
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", options.probe_path, headers={"User-Agent": "assaymark-probe", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Health(ok=False, text=f"{address} does not answer: {error}")
    finally:
        connection.close()
    return Health(ok=200 <= status < 400, text=f"it answers {status} at {options.probe_path}")


def _tcp(host: str, port: int, seconds: float) -> Health:
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return Health(ok=True, text="it accepts connections")
    except OSError as error:
        return Health(ok=False, text=f"{host}:{port} accepts no connection: {error}")
