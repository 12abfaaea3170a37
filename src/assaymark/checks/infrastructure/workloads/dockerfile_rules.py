"""All rules of the Dockerfile check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.workloads import dockerfile_rules_files as files
from assaymark.checks.infrastructure.workloads import dockerfile_rules_image as image
from assaymark.checks.infrastructure.workloads import dockerfile_rules_run as run
from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.rules import SHELL_RULES
from assaymark.model.severity import Confidence, Severity

_INFO, _LOW, _MEDIUM, _HIGH, _CRITICAL = Severity
_MAYBE, _LIKELY, _SURE = Confidence

EXAMINERS: Final[tuple[Callable[[Dockerfile], Iterator[Flaw]], ...]] = (
    image.image_unpinned,
    image.frontend_unpinned,
    image.user,
    image.unmaintained,
    image.ports,
    image.environment,
    image.start,
    image.insecure_build,
    files.secret_file,
    files.secret_argument,
    files.remote_add,
    files.add_for_copy,
    files.open_files,
    files.build_context_everything,
    run.steps,
)

RULES: Final[dict[str, Rule]] = {
    **{name: SHELL_RULES[name][1] for name in run.SHELL_RULES_TAKEN},
    "image-unpinned": Rule(_LOW, _SURE, "Name a version, better the digest (`name:1.2@sha256:…`), and let a bot raise it."),
    "image-without-digest": Rule(_INFO, _SURE, "Add the digest behind the tag (`name:1.2@sha256:…`), and let a bot raise both."),
    "frontend-unpinned": Rule(_LOW, _SURE, "Use `docker/dockerfile:1`, or fix the frontend by its digest."),
    "root-user": Rule(_MEDIUM, _SURE, "End with `USER` and the number of a user that owns only what it must write."),
    "user-unset": Rule(_LOW, _LIKELY, "Add `RUN useradd --system --uid 10001 app` and `USER 10001`."),
    "base-unmaintained": Rule(_LOW, _SURE, "Move to a release that its makers still mend."),
    "remote-access-port": Rule(_LOW, _LIKELY, "Leave the server out; `docker exec` needs none."),
    "authentication-off": Rule(_MEDIUM, _LIKELY, "Let the service ask for a password or token that is given when it is started."),
    "debug-enabled": Rule(_LOW, _LIKELY, "Set it when a container is started for development, not in the image."),
    "insecure-build": Rule(_HIGH, _SURE, "Remove the flag; do what needs the machine outside of the build."),
    "container-socket": Rule(_MEDIUM, _SURE, "Remove the volume; build images with a rootless builder."),
    "secret-file": Rule(_MEDIUM, _LIKELY, "Use `RUN --mount=type=secret,id=…` for builds, and give files at run time as secrets."),
    "secret-argument": Rule(
        _LOW, _LIKELY, "Use `RUN --mount=type=secret,id=…`, which leaves nothing in the image; at run time give it from outside."
    ),
    "remote-add": Rule(_LOW, _SURE, "Add `--checksum=sha256:…`; for a repository name a commit behind `#`."),
    "add-for-copy": Rule(_INFO, _SURE, "Write COPY."),
    "world-writable": Rule(_LOW, _SURE, "Give the files to the user that writes them (`--chown`), with mode 0755 or less."),
    "context-copied": Rule(_INFO, _MAYBE, "Copy the folders that the program needs, and keep a .dockerignore."),
    "sudo": Rule(_LOW, _SURE, "Write `USER root` before the steps that need it and the program's user behind them."),
    "sudo-without-password": Rule(_LOW, _LIKELY, "Remove sudo from the image, or name the single commands that it may run."),
    "password-set": Rule(_MEDIUM, _SURE, "Remove it: containers need no logins; give passwords at run time as secrets."),
    "setuid": Rule(_MEDIUM, _LIKELY, "Give the file capabilities that it needs, or start it by the right user."),
    "apt-key": Rule(_LOW, _SURE, "Keep the key in /etc/apt/keyrings and name it in the source by `signed-by=`."),
    "second-index": Rule(_LOW, _SURE, "Use one index that serves both, or lock packages with their hashes."),
    "key-in-image": Rule(_MEDIUM, _LIKELY, "Make the key when the container starts, or give it as a secret."),
    "system-upgraded": Rule(_INFO, _SURE, "Raise the base image instead, by its digest."),
    "lists-alone": Rule(_INFO, _SURE, "Fetch the lists and install in one step: `RUN apt-get update && apt-get install …`."),
    "failure-hidden": Rule(_INFO, _SURE, 'Add `SHELL ["/bin/bash", "-o", "pipefail", "-c"]` before, or download to a file first.'),
    "package-unpinned": Rule(_LOW, _LIKELY, "Name the version, better install from a lock file with hashes."),
    "open-docker": Rule(_MEDIUM, _SURE, "Use TLS: port 2376 with certificates on both sides."),
}
