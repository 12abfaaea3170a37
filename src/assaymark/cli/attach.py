"""`assay attach`: lay endorsements beside what they are about, and get them from there.

TARGET is ``oci://host/name@sha256:…`` (or with a tag), ``git:<revision>`` for a commit of the repository here, or a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from assaymark.endorsement.places.registry import Registry
    from assaymark.subjects.repository import Repository

_GIT = "git:"
_THEIRS = "refs/assaymark/notes-theirs"


def _registry_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--plain-http", is_flag=True, help="The registry speaks HTTP without TLS; loopback is taken so by itself."),
        click.option("--password-stdin", is_flag=True, help="Read the password or token from standard input."),
        click.option("--username", default="", help="At the registry; without it the credentials that docker or podman keep are used."),
    ):
        function = option(function)
    return function


@click.group("attach")
def command() -> None:
    """Lay endorsements beside what they are about: registries, files, git notes."""


@command.command("put")
@click.argument("bundle")
@click.argument("target")
@click.option("--att", is_flag=True, help="Also as cosign's older attestation tag (sha256-….att).")
@click.option("--everywhere", is_flag=True, help="To every manifest of the image that the endorsement names: index and platforms.")
@click.option("--proof", default="", help="File with the transparency log's proof, to lie beside a file.")
@_registry_options
def put_command(
    bundle: str, target: str, att: bool, everywhere: bool, proof: str, username: str, password_stdin: bool, plain_http: bool
) -> None:
    """Lay the endorsement in the file BUNDLE (- for standard input) beside TARGET."""
    from assaymark.endorsement.places import files, notes
    from assaymark.endorsement.places.reference import is_reference

    data = _given(bundle)
    if is_reference(target):
        for line in _put_image(_registry(target, username, plain_http, password_stdin=password_stdin, push=True), data, att, everywhere):
            click.echo(line)
    elif target.startswith(_GIT):
        git = _repository().git
        commit = notes.commit_of(git, target.removeprefix(_GIT))
        is_new = notes.write(git, commit, data)
        click.echo(f"{'written to' if is_new else 'already in'} {notes.REF} for {commit}; push it: git push <remote> {notes.REF}")
    else:
        for path in files.write(Path(target), data, _given(proof) if proof else b""):
            click.echo(f"written: {path}")


@command.command("get")
@click.argument("target")
@click.option("-o", "--output", default="", help="Write to this file instead of printing; lines of bundles.")
@click.option("--note", is_flag=True, help="Of git:<revision>: keep what the server says as a note here.")
@click.option("--server", default="", help="Ask this server instead of the place beside the target.")
@click.option("--token-file", default="", help="File with a token for the server, readable by you only.")
@_registry_options
def get_command(
    target: str, output: str, note: bool, server: str, token_file: str, username: str, password_stdin: bool, plain_http: bool
) -> int:
    """Print the endorsements of TARGET, one a line. Nothing is verified: `assay verify` does that. Exit code 1 when there is none."""
    from assaymark.endorsement.places import notes
    from assaymark.endorsement.places.reference import is_reference

    reach = (lambda: _registry(target, username, plain_http, password_stdin=password_stdin)) if is_reference(target) else None
    digest = _digest(target, reach)
    found = _from_server(server, token_file, digest) if server else _beside(target, digest, reach)
    if not found:
        click.echo(f"there is no endorsement of {digest}", err=True)
        return 1
    if note and target.startswith(_GIT):
        commit = digest.partition(":")[2]
        number = sum(notes.write(_repository().git, commit, each) for each in found)
        click.echo(f"{number} written to {notes.REF} for {commit}; push it: git push <remote> {notes.REF}", err=True)
    _emit(b"".join(each + b"\n" for each in found), output)
    return 0


@command.command("subjects")
@click.argument("target")
@click.option("--platform", default="", help="Of an image of several platforms: only this one, e.g. linux/amd64, beside the whole.")
@_registry_options
def subjects_command(target: str, platform: str, username: str, password_stdin: bool, plain_http: bool) -> None:
    """Print every digest by which TARGET may be named, as JSON: of an image its index, manifests and configurations."""
    import msgspec

    from assaymark.cli.show import emit
    from assaymark.endorsement.places import images, notes
    from assaymark.endorsement.places.reference import is_reference
    from assaymark.endorsement.statement import Named

    if is_reference(target):
        registry = _registry(target, username, plain_http, password_stdin=password_stdin)
        found = images.subjects_of(images.of_registry(registry), images.resolved(registry), registry.image.resource, platform=platform)
    elif target.startswith(_GIT):
        git = _repository().git
        commit = notes.commit_of(git, target.removeprefix(_GIT))
        tree = git.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip()
        found = (Named(target, {"gitCommit": commit, "gitTree": tree}),)
    elif Path(target).is_dir():
        read, digests = images.of_layout(target)
        found = tuple(each for digest in digests for each in images.subjects_of(read, digest, target, platform=platform))
    else:
        kind, _, value = _digest(target, None).partition(":")
        found = (Named(Path(target).name, {kind: value}),)
    emit(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


@command.group("notes")
def notes_group() -> None:
    """Exchange notes of endorsements with another repository, by your own git and its credentials."""


@notes_group.command("fetch")
@click.argument("remote", default="origin")
def notes_fetch(remote: str) -> None:
    """Bring REMOTE's notes here; ours are kept."""
    click.echo(_fetched(_repository(), remote))


@notes_group.command("push")
@click.argument("remote", default="origin")
def notes_push(remote: str) -> None:
    """Fetch and merge REMOTE's notes, then push ours."""
    from assaymark.endorsement.places.notes import REF

    repository = _repository()
    click.echo(_fetched(repository, remote))
    _own_git(repository, "push", "--quiet", "--", remote, f"{REF}:{REF}")
    click.echo(f"{REF} is at {remote}")


# --- places ----------------------------------------------------------------------------------------------------------


def _put_image(registry: Registry, data: bytes, att: bool, everywhere: bool) -> list[str]:
    from assaymark.endorsement.places import dot_att, images, oci

    done = oci.attach_everywhere(registry, data) if everywhere else oci.attach(registry, images.resolved(registry), data)
    lines = [f"attached to {each.subject} as {each.digest}{' (fallback list)' if each.fallback else ''}" for each in done]
    if att:
        lines += [
            f"attested: {registry.image.shown}:{dot_att.attest(registry, each, data)}" for each in dict.fromkeys(e.subject for e in done)
        ]
    return lines


def _beside(target: str, digest: str, reach: Callable[[], Registry] | None) -> tuple[bytes, ...]:
    from assaymark.endorsement.places import dot_att, files, gathered, notes, oci

    if reach is not None:
        registry = reach()
        return gathered.gathered([*oci.fetch(registry, digest), *dot_att.fetch(registry, digest)], digest)
    if target.startswith(_GIT):
        return notes.read(_repository().git, digest.partition(":")[2])
    return files.read(Path(target)).endorsements


def _digest(target: str, reach: Callable[[], Registry] | None) -> str:
    from assaymark.endorsement.places import files, images, notes

    if reach is not None:
        return images.resolved(reach())
    if target.startswith(_GIT):
        return notes.digest_of(notes.commit_of(_repository().git, target.removeprefix(_GIT)))
    return files.digest_of(Path(target))


def _from_server(server: str, token_file: str, digest: str) -> tuple[bytes, ...]:
    from assaymark.endorsement.places.gathered import gathered
    from assaymark.errors import UsageError
    from assaymark.triggers import notify
    from assaymark.triggers.attestations import attestations

    try:
        notify.need_safe(server)
        token = notify.token_of(Path(token_file)) if token_file else ""
    except notify.Trouble as error:
        raise UsageError(str(error)) from error
    return gathered(attestations(server, token, digest), digest)


def _registry(target: str, username: str, plain: bool, *, password_stdin: bool, push: bool = False) -> Registry:
    from assaymark.cli import registry_login
    from assaymark.endorsement.places import access, direct
    from assaymark.endorsement.places.reference import reference
    from assaymark.endorsement.places.registry import Registry
    from assaymark.errors import UsageError

    image = reference(target, plain=plain)
    if bool(username) != password_stdin:
        raise UsageError("a name and what proves it belong together", advice="give --username and --password-stdin, or neither")
    credential = registry_login.of(username) if username else registry_login.kept(image.host)
    return Registry(direct.send, image, credential, actions=access.PUSH if push else access.PULL)


def _repository() -> Repository:
    from assaymark.cli.place import need_repository

    return need_repository()


def _fetched(repository: Repository, remote: str) -> str:
    from assaymark.endorsement.places import notes

    listed = _own_git(repository, "ls-remote", "--", remote, notes.REF)
    if not listed.strip():
        return f"{remote} has no {notes.REF}"
    _own_git(repository, "fetch", "--quiet", "--no-tags", "--", remote, f"+{notes.REF}:{_THEIRS}")
    is_new = notes.merge(repository.git, notes.tip(repository.git, _THEIRS))
    return f"notes of {remote} are merged" if is_new else f"{remote} has nothing that is not here"


def _own_git(repository: Repository, *words: str) -> str:
    """The user's git with the user's settings: it is the user who goes to the remote."""
    import subprocess

    from assaymark.errors import UsageError

    done = subprocess.run(["git", *words], cwd=repository.shown, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UsageError(f"git {words[0]} failed", why="see above", advice="look at the name of the remote")
    return done.stdout


def _given(name: str) -> bytes:
    from assaymark.endorsement.bundle import MOST_BYTES
    from assaymark.errors import UsageError

    try:
        if name == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read", why=error.strerror or str(error)) from error


def _emit(data: bytes, output: str) -> None:

    if not output:
        sys.stdout.buffer.write(data)
        return
    from assaymark.subjects.given import write_given

    write_given(Path(output), data)
