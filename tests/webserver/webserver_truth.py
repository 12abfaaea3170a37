"""What the servers themselves say of a configuration, for comparison with our readers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from assaymark.checks.platform.webserver.apache_files import read_all
from assaymark.checks.platform.webserver.apache_model import Section, Surroundings, assemble
from assaymark.checks.platform.webserver.apache_reader import read
from assaymark.checks.platform.webserver.directives import Directive
from assaymark.model.check import Part

MODULES = Path("/usr/lib/apache2/modules")
_ON_READ = frozenset({"serverroot", "loadmodule", "mutex", "defaultruntimedir", "include", "includeoptional", "define", "undefine"})
"""Directives that take effect while they are read; the dump does not show them."""
Row = tuple[int, str, tuple[str, ...]]


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def tree_below(folder: Path) -> dict[str, bytes]:
    """Files below a folder with links followed, as an image of the machine would have them."""
    return {str(path).lstrip("/"): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def dumped(config: Path, variables: Mapping[str, str]) -> list[Row]:
    """Apache's effective configuration by `apache2 -t -DDUMP_CONFIG`."""
    apache = program("apache2")
    assert apache is not None
    words = [apache, "-C", f"LoadModule info_module {MODULES}/mod_info.so", "-t", "-DDUMP_CONFIG", "-f", str(config)]
    said = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert said.returncode == 0, said.stderr
    text = "\n".join(line for line in said.stdout.splitlines() if not re.match(r"\s*#", line))
    return list(_flat(read(text, "dump"), 0))


def _flat(directives: tuple[Directive, ...], depth: int) -> Iterator[Row]:
    for each in directives:
        if each.block is not None:
            yield depth, f"<{each.name}>", each.args
            yield from _flat(each.block, depth + 1)
        elif each.name not in _ON_READ:
            yield depth, each.name, each.args


def assembled(files: Mapping[str, bytes], variables: Mapping[str, str]) -> list[Row]:
    """The same by our own reader, told what the server knows of its machine."""
    apache = program("apache2")
    assert apache is not None
    version = re.search(r"Apache/(\d+)\.(\d+)\.(\d+)", subprocess.run([apache, "-v"], capture_output=True, text=True, check=True).stdout)
    assert version is not None
    known = Surroundings(frozenset({"mod_info.c"}), frozenset(), tuple(int(part) for part in version.groups()))
    config = assemble(read_all([Part(name, content) for name, content in sorted(files.items())]), known)
    assert config.gaps == []
    root = next(root for root in config.roots if root.kind == "main")
    folded = {name.casefold(): value for name, value in variables.items()}
    return [
        (depth, name, tuple(re.sub(r"\$\{(\w+)\}", lambda found: folded.get(found[1].casefold(), found[0]), arg) for arg in args))
        for depth, name, args in _sections(root, 0)
    ]


def _sections(section: Section, depth: int) -> Iterator[Row]:
    for each in section.order:
        if isinstance(each, Section):
            yield depth, f"<{each.kind}>", each.args
            yield from _sections(each, depth + 1)
        elif each.name not in _ON_READ:
            yield depth, each.name, each.args


def environment() -> dict[str, str]:
    """What Debian's `envvars` sets."""
    said = subprocess.run(["sh", "-c", ". /etc/apache2/envvars && env"], capture_output=True, text=True, check=True).stdout
    return {name: value for name, _, value in (line.partition("=") for line in said.splitlines()) if name.startswith("APACHE_")}


def nginx_reads(config: Path) -> set[str]:
    """The files that `nginx -T` says it reads."""
    nginx = program("nginx")
    assert nginx is not None
    said = subprocess.run([nginx, "-T", "-c", str(config)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return {name.lstrip("/") for name in re.findall(r"^# configuration file (\S+):$", said.stdout, re.MULTILINE)}
