"""`assay admission`: what a Kubernetes cluster is given, made here or fetched from a server, and the images that manifests name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assaymark.errors import UsageError

if TYPE_CHECKING:
    from assaymark.deployment.admission.approved import ApprovedDigest

_MOST_BYTES = 64 << 20
_MOST_MANIFEST = 8 << 20
_BEGINNINGS = (b"---\n", b"apiVersion:", b"#")
_Command = Callable[..., Any]


@click.group()
def command() -> None:
    """Let a Kubernetes cluster start only what is Quality Approved."""


def _of_place(function: _Command) -> _Command:
    """Options of everything that is for one environment of one cluster."""
    options = (
        click.option("--environment", default="", help="That the cluster, or the namespaces that are named, are."),
        click.option("--home", default="assaymark", help="Namespace of ours in the cluster: where the maps lie; never asked about."),
        click.option("--server", default="", help="Address of the server; with --gate ASSAYMARK_SERVER by default."),
        click.option("--gate", type=int, help="Take it as it stands at the server: number of the gate."),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="File with a token: with --gate, one that may read endorsements; ASSAYMARK_TOKEN by default.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


_SHARDS = click.option("--shards", type=click.Choice(["1", "16", "256"]), help="By how many maps the digests are parted.")
_TRUST = click.option("--trust", "folder", type=click.Path(path_type=Path), help="Folder of `assay trust` that holds the approved digests.")
_ENFORCE = click.option("--enforce", is_flag=True, help="Refuse; without it nothing is refused, and it is told what would be.")
_EXEMPT = click.option("--exempt", multiple=True, help="A namespace that is never asked about, beside kube-system and --home.")


@command.command()
@_of_place
@_SHARDS
@_TRUST
@_ENFORCE
@_EXEMPT
@click.option("--namespace", "namespaces", multiple=True, help="Only these; may end in *. All where it is left out.")
def policy(
    environment: str, home: str, server: str, gate: int | None, token_file: Path | None, shards: str | None, folder: Path | None,
    enforce: bool, exempt: tuple[str, ...], namespaces: tuple[str, ...],
) -> None:  # fmt: skip
    """Print a ValidatingAdmissionPolicy with its bindings, which the cluster follows without asking anybody.

    It reads the maps that `assay admission configmaps` prints: with the same --environment, --home and --shards.
    """
    from assaymark.deployment.admission import manifest
    from assaymark.deployment.admission.approved import Place, shards_for
    from assaymark.deployment.admission.policy import Shape, bindings
    from assaymark.deployment.admission.policy import policy as made

    if gate is not None:
        click.echo(_fetched(server, gate, "policy", token_file, shards), nl=False)
        return
    place = Place(environment, home)
    parts = _parts(shards) or shards_for(len(_approved(folder, environment)) if folder else 0)
    named = tuple((each, environment) for each in namespaces)
    shape = Shape(place, enforce, exempt, named, elsewhere=not named, shards=parts, url=server.rstrip("/"))
    click.echo(manifest.written([made(shape), *bindings(shape)]), nl=False)


@command.command()
@_of_place
@_SHARDS
@_TRUST
def configmaps(
    environment: str, home: str, server: str, gate: int | None, token_file: Path | None, shards: str | None, folder: Path | None
) -> None:
    """Print the ConfigMaps of approved digests: from a folder of trust, without a network, or from a server."""
    from assaymark.deployment.admission import manifest
    from assaymark.deployment.admission.approved import Place, maps

    if gate is not None:
        click.echo(_fetched(server, gate, "configmaps", token_file, shards), nl=False)
        return
    if folder is None:
        raise UsageError("where the approved digests are is not said", advice="give --trust FOLDER, or --gate NUMBER with --server")
    made = maps(Place(environment, home), _approved(folder, environment), _parts(shards))
    click.echo(manifest.written(made), nl=False)


@command.command()
@_of_place
@_ENFORCE
@_EXEMPT
@click.option("--authority", type=click.Path(path_type=Path), help="Certificates (PEM) that the server's is signed by.")
@click.option("--plugin", default="", help="For the ImagePolicyWebhook plugin instead: where its kubeconfig will lie on the control plane.")
def webhook(
    environment: str, home: str, server: str, gate: int | None, token_file: Path | None, enforce: bool, exempt: tuple[str, ...],
    authority: Path | None, plugin: str,
) -> None:  # fmt: skip
    """Print a ValidatingWebhookConfiguration that asks the server, with the gate's token from --token-file in its address.

    What is printed holds the token then: whoever may read webhook configurations of the cluster reads it.
    """
    from assaymark.deployment.admission import manifest
    from assaymark.deployment.admission import webhook as hooks
    from assaymark.deployment.admission.approved import Place

    if gate is not None:
        click.echo(_fetched(server, gate, "plugin" if plugin else "webhook", token_file, None), nl=False)
        return
    pem = _text(authority, _MOST_MANIFEST) if authority else ""
    asking = hooks.Asking(server, Place(environment, home), _secret(token_file) if token_file else "", pem, enforce, exempt)
    made = [hooks.plugin(asking, plugin), hooks.kubeconfig(asking)] if plugin else [hooks.configuration(asking)]
    click.echo(manifest.written(made), nl=False)


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--digests", is_flag=True, help="Print only the digests, each once; end with 1 when an image has none.")
def images(files: tuple[Path, ...], digests: bool) -> None:
    """List the images that manifests (YAML or JSON, - for the input) name, wherever they hide.

    For `assay verify`, before they are applied.
    """
    from assaymark.deployment.admission import manifest
    from assaymark.deployment.admission.images import ShapeError, images_of

    found = []
    for file in files:
        try:
            documents = manifest.read(_text(file, _MOST_MANIFEST), strictly=True)
            found += [(file, image) for document in documents for image in images_of(document)]
        except (ShapeError, ValueError) as error:
            raise UsageError(f"{file} cannot be read as manifests", why=str(error)) from error
    if digests:
        for digest in dict.fromkeys(image.digest for _, image in found if image.digest):
            click.echo(digest)
    else:
        for file, image in found:
            click.echo(f"{image.digest or 'not-pinned'}\t{_plain(image.text)}\t{file}: {_plain(image.path)}")
    unpinned = [(file, image) for file, image in found if not image.digest]
    if digests and unpinned:
        for file, image in unpinned:
            click.echo(f"not pinned by a digest: {_plain(image.text)} ({file}: {_plain(image.path)})", err=True)
        raise click.exceptions.Exit(1)


# --- how -------------------------------------------------------------------------------------------------------------


def _parts(shards: str | None) -> tuple[str, ...]:
    from assaymark.deployment.admission.approved import shards_of

    return shards_of(int(shards)) if shards else ()


def _approved(folder: Path, environment: str) -> list[ApprovedDigest]:
    """Of this environment, as the folder holds them now: what ended, or was revoked since, is left out."""
    import time

    from assaymark.deployment.admission.approved import ApprovedDigest
    from assaymark.endorsement.approval import instant, stamp
    from assaymark.endorsement.distribution import client
    from assaymark.endorsement.revocation import Target
    from assaymark.errors import SignatureInvalid
    from assaymark.model.assessment import Instant

    now = Instant(time.time_ns() // 1000)
    held = client.held(folder, now)
    if held.refused is not None:
        raise SignatureInvalid("nothing is approved any more by what this folder holds", why=held.refused.text)
    document = client.approved(folder, environment)
    if document is None:
        raise UsageError(
            f"{folder} says nothing of the environment {environment!r}",
            advice="write it as the endorsements do, or have the folder keep it: `assay trust init --environment`",
        )
    found = []
    for each in document.digests:
        taken = {(Target.SUBJECT, each.digest), (Target.ENDORSEMENT, each.endorsement)}
        ends = instant(each.expires)
        if each.digest.startswith("sha256:") and ends > now and not any(name in held.revocations for name in taken):
            found.append(ApprovedDigest(each.digest, stamp(ends)))
    return found


def _fetched(server: str, gate: int, form: str, token_file: Path | None, shards: str | None) -> str:
    """As the server makes it."""
    from assaymark.cli.server_there import refused, server_at, strange

    path = f"/admission-gates/{gate}/manifests/{form}" + (f"?shards={shards}" if shards else "")
    there = server_at(server, token_file)
    status, data = there.call("GET", path, most=_MOST_BYTES)
    if status != 200:
        raise refused(status, data)
    if not data.startswith(_BEGINNINGS):  # what a portal or a proxy shows would go to the cluster otherwise
        raise strange(there.url)
    return data.decode("utf-8", "replace")


def _secret(file: Path) -> str:
    text = _text(file, 4096).strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{file} holds no token", advice="write it into the file, on one line")
    return text


def _text(file: Path, most: int) -> str:
    from assaymark.subjects.given import read_given

    data = sys.stdin.buffer.read(most + 1) if str(file) == "-" else read_given(file, most)
    if len(data) > most:
        raise UsageError("the input is too large", why=f"at most {most} bytes are read")
    try:
        return data.decode("utf-8")
    except ValueError as error:
        raise UsageError(f"{file} is no text", why=str(error), advice="is it the right file?") from error


def _plain(text: str) -> str:
    """Without letters that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])
