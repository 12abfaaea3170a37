"""`assay trust`: whom this machine believes, what was revoked and what is approved, fetched from a server or brought as one tar."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assaymark.errors import EngineMissing, SignatureInvalid, UsageError

if TYPE_CHECKING:
    from assaymark.endorsement.distribution.client import Held
    from assaymark.model.assessment import Instant

_MOST_BYTES = 1 << 20


def default_folder() -> Path:
    """``$ASSAYMARK_TRUST``, or this user's."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(os.environ.get("ASSAYMARK_TRUST") or Path(home) / "assaymark" / "trust")


_FOLDER = click.option("--folder", type=click.Path(path_type=Path), default=default_folder, help="Where it is held; $ASSAYMARK_TRUST.")


@click.group("trust")
def command() -> None:
    """Hold whom to believe, what was revoked and what is approved."""


@command.command("init")
@_FOLDER
@click.option("--from", "address", default="", help="The server, e.g. https://assay.example.org; without it, archives are brought.")
@click.option("--root", type=click.Path(path_type=Path), help="The root to begin with, as a file; fetched from the server without it.")
@click.option("--fingerprint", default="", help="sha256:… of that root, from a place that you trust.")
@click.option("--trust-first", is_flag=True, help="Believe the first root that the server shows. For trying things out.")
@click.option("--grace-hours", default=72, show_default=True, type=click.IntRange(0, 8760), help="For which an old state is used.")
@click.option("--environment", "environments", multiple=True, help="Keep the approved digests of this one only; may be repeated.")
def init(
    folder: Path, address: str, root: Path | None, fingerprint: str, trust_first: bool, grace_hours: int, environments: tuple[str, ...]
) -> None:
    """Begin to trust a root."""
    updating, roots = _library("updating"), _library("roots")
    from assaymark.endorsement.distribution.client import Keeping

    source = _source(address)
    if not (root or source):
        raise UsageError("there is no root to begin with", advice="name a server with --from, or a file with --root")
    data = _read(root) if root else _fetch(source + "root.json")
    if fingerprint and roots.fingerprint(data) != fingerprint and not root:
        data = _fetch(source + "1.root.json")
    found = roots.fingerprint(data)
    if fingerprint and found != fingerprint:
        raise SignatureInvalid("this is another root", why=f"its fingerprint is {found}", advice="look at where the fingerprint is from")
    if not (fingerprint or root or trust_first):
        raise UsageError(
            "nobody has vouched for this root", why=f"the server shows {found}",
            advice="compare it with what an administrator reads on the page Trust, and give it as --fingerprint",
        )  # fmt: skip
    updating.begin(folder, data, Keeping(source, grace_hours, environments))
    click.echo(f"{folder} trusts {found}")


@command.command("update")
@_FOLDER
def update(folder: Path) -> None:
    """Take what the server distributes now."""
    updating, sources = _library("updating"), _library("sources")
    from assaymark.advisories.download import ask_directly
    from assaymark.endorsement.distribution import client

    address = client.keeping(folder).source
    if not address:
        raise UsageError(f"{folder} names no server", advice="bring an archive, and take it with `assay trust import`")
    _say(updating.take(folder, updating.server(address, sources.Server(ask_directly)), _now()))


@command.command("import")
@click.argument("archive", type=click.Path(path_type=Path))
@_FOLDER
def import_command(archive: Path, folder: Path) -> None:
    """Take what ARCHIVE (one tar) holds."""
    updating = _library("updating")
    from assaymark.endorsement.distribution import archive as archives

    _say(updating.take(folder, updating.archive(archives.read(archive)), _now()))


@command.command("show")
@_FOLDER
@click.pass_context
def show(ctx: click.Context, folder: Path) -> None:
    """Tell what is held, and how old it is. Exit 1 when it is too old to be believed."""
    from assaymark.endorsement.distribution import client

    held = client.held(folder, _now())
    _say(held)
    for root in held.trust.roots:
        click.echo(f"root        {_plain(root.root.name)}: {', '.join(key.id for key in root.keys)}")
        click.echo(f"            verifier {_plain(root.root.verifier)}, {root.root.threshold} of {len(root.keys)}")
    if held.refused is not None:
        ctx.exit(1)


@command.command("verify")
@_FOLDER
@click.pass_context
def verify(ctx: click.Context, folder: Path) -> None:
    """Look at every signature and digest again, from the root that was trusted first. Exit 1 when it is too old to be believed."""
    updating = _library("updating")
    from assaymark.endorsement.distribution import client

    said = updating.prove(folder)
    click.echo(f"every signature holds, up to root {said.version} ({said.fingerprint})")
    held = client.held(folder, _now())
    _say(held)
    if held.refused is not None:
        ctx.exit(1)


@command.group("root")
def root_command() -> None:
    """Sign the root on the machine of who owns one of its keys."""


@root_command.command("show")
@click.argument("file", type=click.Path(path_type=Path))
def root_show(file: Path) -> None:
    """Tell what a root says, and who signed it."""
    said = _library("roots").standing(_read(file))
    click.echo(f"version     {said.version}")
    click.echo(f"fingerprint {said.fingerprint}")
    click.echo(f"expires     {_stamp(said.expires_at)}")
    click.echo(f"threshold   {said.threshold} of {len(said.keyids)}")
    for each in said.keyids:
        click.echo(f"owner       {each}{' (signed)' if each in said.signed else ''}")
    for role, names in said.roles.items():
        click.echo(f"{role:11} {', '.join(names)}")


@root_command.command("sign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--signer", required=True, help="Address of the key, e.g. file:/media/key.pem or pkcs11:…")
@click.option("--previous", type=click.Path(path_type=Path), help="The root before, where the key is one of its own only.")
def root_sign(file: Path, signer: str, previous: Path | None) -> None:
    """Add a signature to a root; the passphrase comes from ASSAYMARK_SIGNER_PASSPHRASE_FILE."""
    roots = _library("roots")
    from assaymark.endorsement.signers.opening import open_signer

    opened = open_signer(signer)
    data = roots.with_previous_signature(_read(file), _read(previous), opened) if previous else roots.with_signature(_read(file), opened)
    _write(file, data)
    said = roots.standing(data)
    click.echo(f"signed by {opened.public.id}; {len(said.signed)} of the {said.threshold} that it asks for of its own")


@command.group("key")
def key_command() -> None:
    """Make keys that sign."""


@key_command.command("new")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", default="ecdsa-p256", show_default=True, type=click.Choice(["ecdsa-p256", "ed25519"]))
@click.option("--no-passphrase", is_flag=True, help="Leave the file unencrypted; its mode alone guards it.")
def key_new(file: Path, kind: str, no_passphrase: bool) -> None:
    """Make a key: FILE, for you alone, and FILE.pub. The passphrase comes from ASSAYMARK_SIGNER_PASSPHRASE_FILE."""
    from assaymark.endorsement import keys
    from assaymark.endorsement.signers.opening import PASSPHRASE_FILE, passphrase

    secret = passphrase(os.environ)
    if secret is None and not no_passphrase:
        raise UsageError("the key would lie unencrypted", advice=f"name a file with {PASSPHRASE_FILE}, or say --no-passphrase")
    private, public = keys.new_key(kind, secret)
    _create(file, private, 0o600)
    _create(file.with_name(file.name + ".pub"), public.pem.encode(), 0o644)
    click.echo(f"{public.id} in file:{file.absolute()}")


@key_command.command("show")
@click.argument("address")
def key_show(address: str) -> None:
    """Open the key at ADDRESS, let it sign once, and print its public part."""
    from assaymark.endorsement.signers.opening import open_signer

    signer = open_signer(address)
    text = b"assaymark: is this the key? " + os.urandom(32)
    if not signer.public.holds(signer.sign(text), text):
        raise SignatureInvalid("this key's signature does not hold", advice="look at which key the address names")
    click.echo(signer.public.id)
    click.echo(signer.public.pem, nl=False)


@key_command.command("rotate")
@click.option("--comment", default="", help="Why.")
@click.option("--data", default="", help="Folder of the server's data.")
@click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
@click.option("--url", default="", help="How people reach the server; it stands in the trust document.")
def key_rotate(comment: str, data: str, database: str, url: str) -> None:
    """Let another key endorse on this machine's server: a new one of its own, or what lies at ASSAYMARK_SIGNER now."""
    from assaymark.cli.person import of_machine

    with of_machine(data, database, url) as service:
        from assaymark.server.work import signers

        with service.database.write() as link:
            made = signers.new_key(service, link, actor="machine", comment=comment)
        click.echo(f"{made.public.id} endorses from now on")


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"assaymark.endorsement.distribution.{name}")
    except ImportError as error:
        raise EngineMissing("TUF's library is not installed", why=str(error), advice="pip install 'assaymark[trust]'") from error


def _source(address: str) -> str:
    if not address:
        return ""
    from assaymark.advisories.download import permitted

    base = permitted(address).rstrip("/")
    return (base if base.endswith("/trust") else base + "/trust") + "/"


def _fetch(url: str) -> bytes:
    from http.client import HTTPException

    from assaymark.advisories.download import ask_directly

    data = b""
    try:
        with ask_directly(url, {"User-Agent": "assaymark"}) as answer:
            if answer.status != 200:
                raise UsageError(f"{url} answers {answer.status}", advice="look at the address of the server")
            for piece in answer.pieces:
                data += piece
                if len(data) > _MOST_BYTES:
                    raise UsageError(f"{url} is too large for a root")
    except (OSError, HTTPException, ValueError) as error:
        why = str(getattr(error, "reason", None) or error)
        raise UsageError(f"{url} cannot be fetched", why=why, advice="check the address, and that the server runs") from error
    return data


def _say(held: Held) -> None:
    click.echo(f"state       {held.state.value}")
    click.echo(f"taken       {_stamp(held.taken_at)}")
    click.echo(f"fresh until {_stamp(held.fresh_until)}")
    click.echo(f"closes at   {_stamp(held.closes_at)}")
    if held.refused is not None:
        click.echo(f"{held.refused.reason.value}: {held.refused.text}")
        return
    click.echo(f"trust       number {held.trust.trust.number}, {len(held.trust.roots)} roots, {len(held.trust.keys)} keys")
    click.echo(f"revoked     {sum(map(len, held.revocations.values()))}")


def _now() -> Instant:
    from assaymark.model.assessment import Instant

    return Instant(time.time_ns() // 1000)


def _stamp(at: Instant) -> str:
    from assaymark.endorsement.approval import stamp

    return stamp(at)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _read(path: Path) -> bytes:
    from assaymark.subjects.given import read_given

    return read_given(path, _MOST_BYTES)


def _write(path: Path, data: bytes) -> None:
    from assaymark.subjects.given import write_given

    write_given(path, data)


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise UsageError(f"{path} cannot be made", why=error.strerror or str(error), advice="name a file that is not there yet") from error
    with os.fdopen(number, "wb") as file:
        file.write(data)
