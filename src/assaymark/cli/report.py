"""`assay report`: verify what a server issued, without the server and without a network."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.errors import EngineMissing, SignatureInvalid

_MOST_BYTES = 64 << 20


@click.group()
def command() -> None:
    """Verify a report of the server without it."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--envelope", type=click.Path(path_type=Path), help="The DSSE envelope; report.dsse.json beside the file where it is left out."
)
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The server's public key (PEM), from a place that you trust.")
def verify(file: Path, envelope: Path | None, key: Path) -> None:
    """Say whether FILE (HTML, PDF or figures) is what the key's owner signed, and as of when.

    Ends with 0 when it is, with 2 when it is not.
    """
    try:
        from assaymark.endorsement import dsse, keys, statement

        public = keys.public_key(_read(key))
        held = dsse.verify(_read(envelope or _beside(file)), [public], payload_type=statement.PAYLOAD_TYPE)
    except ImportError as error:
        raise EngineMissing("a signature cannot be verified", why=str(error), advice="pip install 'assaymark[server]'") from error
    said = statement.read(held.payload)
    names = statement.names_of(said, _read(file))
    if not names:
        signed = ", ".join(each.name for each in said.subject)
        raise SignatureInvalid(
            f"{file} is not what was signed", why=f"the envelope holds, but speaks of other bytes ({signed})", advice="get the file anew"
        )
    click.echo(f"{file} is {names[0]}, signed by {held.keyids[0]}")
    told = said.predicate if isinstance(said.predicate, dict) else {}
    for name, word in (("title", "of"), ("asOf", "as of"), ("issuedAt", "issued"), ("server", "by")):
        if isinstance(told.get(name), str):
            click.echo(f"  {word} {told[name]!r}" if name == "title" else f"  {word} {_plain(told[name])}")


def _plain(text: str) -> str:
    """Without letters that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _beside(file: Path) -> Path:
    """Where browsers put it: ``7-report.dsse.json`` beside ``7-report.html``."""
    prefix = file.name.partition("-")[0]
    candidates = [file.with_name("report.dsse.json"), file.with_name(f"{prefix}-report.dsse.json")]
    return next((each for each in candidates if each.exists()), candidates[0])


def _read(path: Path) -> bytes:
    from assaymark.subjects.given import read_given

    return read_given(path, _MOST_BYTES, "name the file that you downloaded")
