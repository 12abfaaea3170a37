#!/usr/bin/env python3
"""Copies the database while the service runs."""

import sqlite3
import sys
from datetime import date
from pathlib import Path


def backup(source, folder):
    target = Path(folder) / f"harbour-{date.today():%Y-%m-%d}.sqlite3"
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
    return target


if __name__ == "__main__":
    print(backup(sys.argv[1], sys.argv[2]))
