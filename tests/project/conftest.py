from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import assaymark


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with compiled rules: making them takes longer than everything else together."""
    cache = tmp_path_factory.mktemp("cache")
    env = os.environ | {"ASSAYMARK_CACHE": str(cache), "ASSAYMARK_KEY": "a key for these tests only", "ASSAYMARK_DAEMON": "off"}
    env["PYTHONPATH"] = str(Path(assaymark.__file__).resolve().parents[1])
    command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", "doctor"]
    ran = subprocess.run(command, cwd=cache, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return cache
