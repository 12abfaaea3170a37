from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import assaymark

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that `tests.docs.docs_pages` is found, however pytest was started

from tests.docs.docs_pages import ROOT, Workshop

_PROGRAM = "from assaymark.cli.main import main; main()"


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """What every page shares: the sample repository, compiled rules, and `assay` on the path."""
    folder = tmp_path_factory.mktemp("docs")
    programs = folder / "bin"
    programs.mkdir()
    beside = Path(sys.executable).with_name("assay")
    command = f'exec "{beside}"' if beside.is_file() else f"exec \"{sys.executable}\" -c '{_PROGRAM}'"
    (programs / "assay").write_text(f'#!/bin/sh\n{command} "$@"\n', "utf-8")
    (programs / "assay").chmod(0o755)
    sample = folder / "harbour"
    subprocess.run([sys.executable, str(ROOT / "demo" / "build_sample.py"), str(sample)], check=True, capture_output=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAYMARK_", "GIT_", "GITHUB_", "CI_"))}
    environment = kept | {
        "ASSAYMARK_CACHE": str(folder / "cache"),
        "ASSAYMARK_DAEMON": "off",
        "ASSAYMARK_KEY": "the key of the show, known to all",
        "ASSAYMARK_TODAY": "2026-06-01",
        "COLUMNS": "100",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(programs), str(beside.parent), os.environ["PATH"]]),
        "PYTHONPATH": str(Path(assaymark.__file__).resolve().parents[1]),
        "XDG_CACHE_HOME": str(folder / "xdg"),
    }
    (folder / ".gitconfig").write_text("[user]\n\tname = Ana\n\temail = ana@example.org\n[init]\n\tdefaultBranch = main\n", "utf-8")
    ran = subprocess.run(["assay", "doctor"], cwd=sample, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Workshop(sample, environment)
