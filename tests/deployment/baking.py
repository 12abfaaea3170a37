"""What tests bake with: a storage of their own, sources that differ in nothing that counts, and the command as installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import assaymark
from assaymark.deployment.bake.programs import Programs

_SOURCE = str(Path(assaymark.__file__).parents[1])
BUSYBOX = "/bin/busybox"
NEEDED = {"buildah": "buildah", "skopeo": "skopeo"}


def need_programs() -> None:
    """Skip loudly where images cannot be baked."""
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"NOT PROVED: not installed: {' '.join(missing)}; do this: sudo apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("NOT PROVED: images are baked as root; do this: run the tests within `buildah unshare`")


def storage(folder: Path) -> Programs:
    """A storage that works here, or none of these tests can."""
    need_programs()
    programs = Programs(str(folder))
    tried = subprocess.run(
        ["buildah", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "from", "--quiet", "scratch"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if tried.returncode:
        pytest.skip(f"NOT PROVED: buildah cannot work here: {tried.stderr.strip()[-200:]}")
    programs.buildah("rm", tried.stdout.strip())
    return programs


def source(folder: Path, *, umask: int = 0o022, reverse: bool = False) -> Path:
    """A small site with a program, a link and an empty folder, made with this umask and in this order."""
    before = os.umask(umask)
    try:
        folder.mkdir(parents=True)
        names = ["bin", "srv", "srv/site", "srv/empty"]
        for name in names:
            (folder / name).mkdir()
        files = [("srv/site/index.html", "hello\n"), ("srv/site/b.txt", "b\n"), ("srv/site/a.txt", "a\n")]
        for name, text in reversed(files) if reverse else files:
            (folder / name).write_text(text)
        (folder / "srv/latest").symlink_to("site/index.html")
        program = folder / "bin" / "run"
        program.write_text("#!/bin/sh\nexec true\n")
        program.chmod(0o777 & ~umask)
    finally:
        os.umask(before)
    return folder


RECIPE = """
[image]
name = "localhost/shop/web"
user = "1000:1000"
entrypoint = ["/bin/run"]
environment = {LANG = "C.UTF-8"}
folder = "/srv"

[files]
[[files.rule]]
paths = ["srv/site", "srv/site/**"]
owner = "1000:1000"
mode = "0640"
folder_mode = "0750"
"""


def assay(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, in a folder."""
    env: Mapping[str, str] = {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": _SOURCE,
        "ASSAYMARK_KEY": "a key that only tests have",
        **environment,
    }
    program = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
    return subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300)
