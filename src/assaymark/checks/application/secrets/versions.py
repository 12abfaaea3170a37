"""Which releases of the secrets check's engines are installed."""

from __future__ import annotations

from assaymark.checks.reading.installed import installed


def hyperscan_version() -> str:
    return installed("hyperscan", "hyperscan")


def kingfisher_version() -> str:
    return installed("kingfisher_sdk", "kingfisher-secret-scanner")
