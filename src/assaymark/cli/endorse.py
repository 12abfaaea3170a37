"""`assay endorse`: ask a server for an endorsement, or sign a passing verdict with a key of one's own where there is no server.

Guarantees: nothing but a pass is endorsed; what is signed here is the commit that the verdict names, in the repository here, with its tree;
a server signs with its own key, and gives none away.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from assaymark.errors import UsageError

_MOST_BYTES = 256 << 20
_REFUSED, _WAITS = 1, 5


@click.command("endorse")
@click.argument("subject", required=False, default="")
@click.option("--server", default="", help="Address of the server that is asked; ASSAYMARK_SERVER by default.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; ASSAYMARK_TOKEN by default.")
@click.option("--wait", type=click.IntRange(0, 3600), default=60, show_default=True, help="Seconds until the server has signed.")
@click.option("--verdict", type=click.Path(path_type=Path), help="Sign this verdict here (`assay check --format json`), without a server.")
@click.option("--bake", "baked", type=click.Path(path_type=Path), help="What `assay bake` wrote: image, files and SBOM are endorsed by it.")
@click.option("--key", default="", help="Where the key is: a file, or an address as pkcs11:…; with --verdict.")
@click.option("--verifier", default="", help="Address that says who judged, as trust roots name it; with --verdict.")
@click.option("--resource", default="", help="What it is about, as git+https://…; with --verdict.")
@click.option("--environment", "environments", multiple=True, help="Where it may run, several times; anywhere without it; with --verdict.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How long it holds; with --verdict.")
@click.option("-o", "--output", default="", help="Write the bundle to this file; without it, only its name is printed.")
def command(
    subject: str,
    server: str,
    token_file: Path | None,
    wait: int,
    verdict: Path | None,
    baked: Path | None,
    key: str,
    verifier: str,
    resource: str,
    environments: tuple[str, ...],
    days: int,
    output: str,
) -> None:
    """Have SUBJECT endorsed: a commit (HEAD without one) or an image's digest, which the server judged and which passed.

    With --verdict it is signed here; with --bake and --key what was baked is, by the verdict beside its report. Ends with 0 when it is
    endorsed, 1 when it is refused, 5 when people have to approve first.
    """
    if baked is not None and key:
        verdict = verdict or (baked if baked.is_dir() else baked.parent) / "verdict.json"
    if verdict is not None:
        from assaymark.cli.endorse_here import NotPassedError, Order, sign

        try:
            data, name = sign(_read(verdict), Order(subject, key, verifier, resource, environments, days, baked))
        except NotPassedError as error:
            click.echo(error.diagnosis(), err=True)
            sys.exit(_REFUSED)
    else:
        if key or verifier or resource or environments:
            raise UsageError("--key, --verifier, --resource and --environment are for --verdict", advice="leave them out to ask a server")
        if baked is not None:
            from assaymark.deployment.bake import report

            subject = subject or report.read(baked).image
        from assaymark.cli.endorse_there import Asked, State, ask

        found = ask(Asked(server, token_file, _meant(subject), wait, wants_bundle=bool(output)))
        if found.state is not State.ENDORSED:
            click.echo(found.text, err=True)
            sys.exit(_REFUSED if found.state is State.REFUSED else _WAITS)
        data, name = found.bundle, found.endorsement
    if output:
        from assaymark.subjects.given import write_given

        write_given(Path(output), data)
    click.echo(name)


def _meant(subject: str) -> str:
    """The digest that the words mean: as they stand, or of a commit in the repository here."""
    if ":" in subject:
        return subject
    from assaymark.cli.place import repository_here
    from assaymark.subjects.commits import resolve

    repository = repository_here()
    if repository is not None:
        return resolve(repository, subject or "HEAD").oid
    if not subject:
        raise UsageError("it is not said what is to be endorsed", advice="name a commit or an image's digest, or go into a repository")
    return subject


def _read(path: Path) -> bytes:
    from assaymark.subjects.given import read_given

    return read_given(path, _MOST_BYTES)
