"""`assay log`: the transparency log of a server on this machine, exported folders of it, and its proofs without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.errors import SignatureInvalid, UsageError

if TYPE_CHECKING:
    from assaymark.endorsement.log.audit import Found, Head
    from assaymark.endorsement.log.inclusion import LogKeys
    from assaymark.store.log import Line

_BROKEN = 3
_MOST_BYTES = 1 << 20
_data = click.option("--data", default="", help="Folder of the server's data.")
_database = click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
_key = click.option(
    "--key", required=True, metavar="VKEY", help="The log's key in one line, or a file with it, from a place that you trust."
)


@click.group("log")
def command() -> None:
    """What happened to endorsements: show it, check it, prove it, keep checkpoints of it elsewhere."""


@command.command("show")
@click.option("--type", "kind", default="", help="Only entries of this type: endorse, revoke, deploy, …")
@click.option("--subject", default="", metavar="DIGEST", help="Only what is about this digest, as sha256:…")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many, the newest first.")
@_data
@_database
def show(kind: str, subject: str, limit: int, data: str, database: str) -> None:
    """The log's name, key and size, and its newest entries as lines of JSON."""
    from assaymark.cli.store import _service
    from assaymark.endorsement.log.entry import EntryType
    from assaymark.server.logbook import heads
    from assaymark.store import log

    if kind and kind not in set(EntryType):
        raise UsageError(f"{kind[:40]!r} is no type of entry", advice=f"one of {', '.join(EntryType)}")
    with _service(data, database, "") as service:
        key = heads.identity(service)[0]
        with service.database.read() as link:
            size = log.size(link)
            rows: list[Line] = log.page(link, log.Filter(EntryType(kind) if kind else None, subject=subject), before=None, limit=limit)
    click.echo(f"{key.name}: {size} entries, key {key.verifier}", err=True)
    for row in rows:
        click.echo(row.line)


@command.command("checkpoint")
@_data
@_database
def checkpoint_(data: str, database: str) -> None:
    """Print the newest checkpoint, signed now if the log has grown."""
    from assaymark.cli.store import _service
    from assaymark.server.logbook import heads

    with _service(data, database, "") as service, service.database.write() as link:
        note = heads.current(service, link).note
    click.echo(note, nl=False)


@command.command("verify")
@click.option("--tiles", type=click.Path(path_type=Path), help="A folder that `assay log export` wrote, instead of the server's database.")
@click.option("--key", default="", metavar="VKEY", help="The log's key in one line, or a file with it; needed with --tiles.")
@click.option("--pinned", multiple=True, metavar="PLACE", help="A checkpoint's file, or a place of pins, that the log must go on from.")
@_data
@_database
def verify(tiles: Path | None, key: str, pinned: tuple[str, ...], data: str, database: str) -> None:
    """Compute the whole log again and compare it with its checkpoints, and with those that were pinned. Changes nothing.

    Ends with 0 when it holds, with 3 when it was cut off, rewritten or damaged. Pins of ASSAYMARK_LOG_PINS are always looked at.
    """
    if tiles is not None:
        if not key:
            raise UsageError("--tiles needs --key", advice="give the log's key, from a place that you trust")
        from assaymark.server.logbook.checking import verify_folder

        known = _known(key)
        _tell(verify_folder(tiles, known, [_file_head(Path(each), known) for each in pinned]))
        return
    from assaymark.cli.store import _service
    from assaymark.server.logbook import checking, heads, pins

    with _service(data, database, "") as service:
        with service.database.read() as link:
            signed = heads.known(link)
        known_here = _known(key) if key else signed
        there: list[Head] = []
        for place in (*pinned, *service.settings.log_pins):
            if known_here is None:
                raise SignatureInvalid("the log has no key", why="its rows are gone, or it never began", advice="restore a backup")
            file = Path(place)
            there += [_file_head(file, known_here)] if file.is_file() else pins.pinned(pins.place_at(service, place), place, known_here)
        with service.database.read() as link:
            _tell(checking.verify(link, there))


def _tell(found: Found) -> None:
    click.echo(f"{found.size} entries, compared with {found.heads} checkpoints")
    for sentence in found.defects:
        click.echo(f"  {sentence}")
    if found.defect_count > len(found.defects):
        click.echo(f"  and {found.defect_count - len(found.defects)} more")
    if not found.holds:
        click.echo("the log does not hold: keep it as it is, and compare it with a backup")
        raise click.exceptions.Exit(_BROKEN)
    click.echo(f"it holds; root {found.root.hex()}")


@command.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_data
@_database
def export(folder: Path, data: str, database: str) -> None:
    """Write the log into FOLDER as files (C2SP tlog-tiles) that any web server can serve; again, and only what is new is written."""
    from assaymark.cli.store import _service
    from assaymark.server.logbook import checking, heads

    with _service(data, database, "") as service:
        with service.database.write() as link:
            row = heads.current(service, link)
        with service.database.read() as link:
            written = checking.export(link, row.note.encode(), folder)
    click.echo(f"{folder}: {row.size} entries; {written} files were written")


@command.command("pin")
@click.option("--to", "places", multiple=True, metavar="PLACE", help="Where; the places of ASSAYMARK_LOG_PINS without it.")
@_data
@_database
def pin(places: tuple[str, ...], data: str, database: str) -> None:
    """Keep the newest checkpoint elsewhere: file:///folder, s3://bucket/prefix or git+https://host/repository.git#branch.

    Ends with 3 when a place refuses, or holds what this log does not go on from.
    """
    from assaymark.cli.store import _service
    from assaymark.server.logbook import pins

    with _service(data, database, "") as service:
        wanted = places or service.settings.log_pins
        if not wanted:
            raise UsageError("nothing says where to", advice="name a place with --to, or in ASSAYMARK_LOG_PINS")
        made = [pins.pin(service, each) for each in wanted]
    for row in made:
        click.echo(f"{row.place}: {row.outcome}, {row.size} entries{f': {row.detail}' if row.detail else ''}")
    if any(row.outcome != "pinned" for row in made):
        raise click.exceptions.Exit(_BROKEN)


@command.command("proof")
@click.argument("what")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of printing.")
@_data
@_database
def proof_(what: str, output: Path | None, data: str, database: str) -> None:
    """Write the proof that an entry stands in the log: WHAT is its number, or the name of an endorsement (sha256:…)."""
    from assaymark.cli.store import _service
    from assaymark.server.logbook import heads

    number = int(what) if what.isascii() and what.isdecimal() and len(what) < 19 else None
    with _service(data, database, "") as service, service.database.write() as link:
        file = heads.proof_of(service, link, number) if number is not None else heads.proof_of_endorsement(service, link, what)
    if output is None:
        click.echo(file.decode(), nl=False)
        return
    from assaymark.subjects.given import write_given

    write_given(output, file)


@command.command("renew-key")
@_data
@_database
def renew_key(data: str, database: str) -> None:
    """Sign with a new key from now on, e.g. because the old one may be known to others. Tell the new one to whoever verifies."""
    from assaymark.cli.store import _service
    from assaymark.server.logbook import heads

    with _service(data, database, "") as service, service.database.write() as link:
        made = heads.renew_key(service, link)
    click.echo(made.verifier)


@command.command("prove")
@click.argument("file", type=click.Path(path_type=Path))
@_key
@click.option("--endorsement", default="", metavar="DIGEST", help="It must prove that this endorsement was logged.")
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="Key of a witness whose cosignature counts.")
@click.option("--enough", default=0, type=click.IntRange(0, 64), help="How many witnesses must have cosigned.")
def prove(file: Path, key: str, endorsement: str, witnesses: tuple[str, ...], enough: int) -> None:
    """Say what FILE, a proof, shows. Needs neither the server nor a network. Ends with 0 when it holds, with 2 when it does not."""
    from assaymark.endorsement.log import note, proof
    from assaymark.endorsement.log.entry import EntryType

    trusted = _known(key)
    trusted = type(trusted)(trusted.origin, trusted.keys, tuple(map(note.verifier, map(_word, witnesses))), enough)
    found = proof.proved(_read(file), trusted)
    if endorsement and (found.entry.type is not EntryType.ENDORSE or found.entry.endorsement != endorsement):
        raise SignatureInvalid("the proof is of another entry", why=f"it is of {found.entry.type.value} {found.entry.endorsement}")
    head = found.opened.checkpoint
    click.echo(f"entry {found.seq} of {head.size} in {head.origin}")
    for name, _ in found.opened.witnesses:
        click.echo(f"  cosigned by {name}")
    click.echo(found.line.decode())


def _known(key: str) -> LogKeys:
    """The log that a key signs for: its name is the log's."""
    from assaymark.endorsement.log import inclusion, note

    line = note.verifier(_word(key))
    return inclusion.LogKeys(line.name, (line,))


def _word(text: str) -> str:
    """Itself, or what the file of this name holds."""
    return text if "+" in text else _read(Path(text)).decode("utf-8", "replace").strip()


def _file_head(path: Path, known: LogKeys) -> Head:
    from assaymark.endorsement.log import checkpoint
    from assaymark.endorsement.log.audit import Head

    return Head(checkpoint.opened(_read(path), known.origin, known.keys).checkpoint, str(path))


def _read(path: Path) -> bytes:
    from assaymark.subjects.given import read_given

    return read_given(path, _MOST_BYTES)
