"""How a container is begun: the words of the command, and what it is given from outside.

Guarantees: no value of a secret or of a variable stands in a command line; whatever is not asked for is denied (root read-only, no
capability, no new privileges, bounded memory and processes, no place to write); an instance's secrets are files in memory, gone when it is
burnt and with the machine. (podman's own secrets lie on disk, and cannot be mounted into a root that is read-only all over.)
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from assaymark.deployment.drivers.driver import Configuration, DriverFailed, Launch, Pair
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.drivers.podman.memory import in_memory
from assaymark.deployment.drivers.podman.options import Options

PREFIX = "assaymark."
ENVIRONMENT, COMPONENT = f"{PREFIX}environment", f"{PREFIX}component"
PAIR, GENERATION, NUMBER = f"{PREFIX}pair", f"{PREFIX}generation", f"{PREFIX}number"
DIGEST, CONFIGURATION, PLACES = f"{PREFIX}digest", f"{PREFIX}configuration", f"{PREFIX}places"
_SECRETS = "/run/secrets"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)


def labels_of(pair: Pair) -> Mapping[str, str]:
    """That all of its containers carry, and no other's."""
    return {ENVIRONMENT: pair.environment, COMPONENT: pair.component, PAIR: label(pair)}


def places(asked: Launch, options: Options) -> tuple[str, ...]:
    """Paths inside at which something is mounted on purpose."""
    given = asked.configuration
    return tuple(sorted({*options.places, *given.files, *(f"{_SECRETS}/{name}" for name in given.secrets)}))


def words(asked: Launch, options: Options, instance: str, number: int) -> list[str]:
    """Of `podman run`, up to what `given` adds and the image."""
    marked = {
        **labels_of(asked.pair), GENERATION: str(asked.generation), NUMBER: str(number), DIGEST: asked.digest,
        CONFIGURATION: asked.configuration.digest, PLACES: msgspec.json.encode(places(asked, options)).decode(),
    }  # fmt: skip
    found = ["run", "--detach", f"--name={instance}", f"--hostname={instance}", "--pull=never", "--restart=no", "--http-proxy=false"]
    found += [f"--label={name}={value}" for name, value in marked.items()]
    found += ["--cap-drop=ALL", *(f"--cap-add={each}" for each in sorted(options.kept)), "--security-opt=no-new-privileges"]
    found += [f"--memory={options.memory}", f"--memory-swap={options.memory}", f"--pids-limit={options.pids}"]
    found += ["--read-only-tmpfs=false", "--image-volume=ignore", "--passwd=false", *(["--read-only"] if options.writable == "no" else [])]
    found += [f"--tmpfs={each}" for each in options.tmpfs.split()]
    found += [f"--ulimit={each}" for each in options.ulimits.split()]
    for name in ("cpus", "user", "userns", "network"):
        if value := getattr(options, name):
            found.append(f"--{name}={value}")
    if options.publishes:
        found.append(f"--publish=127.0.0.1::{options.port}")
    return found


@contextmanager
def given(options: Options, instance: str, configuration: Configuration) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """What comes from outside, as words of the command and descriptors that it inherits.

    Raises:
        DriverFailed: when it cannot be given without showing it.
    """
    _look(configuration)
    found = [_bound(outside, inside, options) for inside, outside in sorted(configuration.files.items())]
    if configuration.secrets:
        folder = _secret_files(options.secrets_in, instance, configuration.secrets)
        found += [_bound(str(folder / name), f"{_SECRETS}/{name}", options) for name in sorted(configuration.secrets)]
    if not configuration.variables:
        yield found, ()
        return
    handle = os.memfd_create("variables", os.MFD_CLOEXEC)
    try:
        for name, value in sorted(configuration.variables.items()):
            os.write(handle, f"{name}={value}\n".encode())
        os.lseek(handle, 0, os.SEEK_SET)
        yield [*found, f"--env-file=/proc/self/fd/{handle}"], (handle,)
    finally:
        os.close(handle)


def forget(options: Options, instance: str) -> None:
    """Its secrets are no more."""
    shutil.rmtree(options.secrets_in / instance, ignore_errors=True)


def _look(configuration: Configuration) -> None:
    for name in (*configuration.variables, *configuration.secrets):
        if not _NAME.fullmatch(name):
            raise DriverFailed(f"{name[:50]!r} is no name of a variable or a secret", advice="letters, digits, underscores")
    for name, value in configuration.variables.items():
        if "\n" in value or "\r" in value or "\0" in value:
            advice = "give it as a file or as a secret"
            raise DriverFailed(f"the variable {name} has more than one line", why="podman takes lines", advice=advice)
    for inside, outside in configuration.files.items():
        if not inside.startswith("/") or any(each in inside + outside for each in (",", "\n", "\0")):
            raise DriverFailed(f"the file {inside[:100]!r} cannot be mounted", why="its path is not absolute, or has a comma")
        if not Path(outside).exists():
            raise DriverFailed(f"the file {outside} is not there", why=f"it would be mounted at {inside}")


def _bound(outside: str, inside: str, options: Options) -> str:
    label_word = ",relabel=shared" if options.relabel == "yes" else ""
    return f"--mount=type=bind,source={outside},destination={inside},readonly=true{label_word}"


def _secret_files(above: Path, instance: str, secrets: Mapping[str, str]) -> Path:
    """Files that their folder hides: who is in the container reads them by the mount, nobody else outside reaches them."""
    folder = above / instance
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not in_memory(above):
        raise DriverFailed(f"{above} lies on a disk", why="secrets would stay there", advice="name a folder in memory: secrets_folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for name, value in secrets.items():
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o444)
            file.write(value.encode())
    return folder
