"""`assay approved`: which components are known to be good, and which of mine are not.

Guarantees: ends with 0 when everything may be used, with 1 when something may not; what cannot be answered ends with 2 or 3, never with 0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_REFUSED = 1
_KINDS = ("package", "base-image", "iac-module", "pipeline-template", "configuration", "source-module")
_STATES = ("approved", "waived", "not-endorsed", "withdrawn", "expired", "has-advisory", "too-young", "wrong-origin")


@click.group("approved")
def command() -> None:
    """Tell which components are known to be good, and which of mine are not."""


def _of_server(run: Callable[..., Any]) -> Callable[..., Any]:
    run = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(run)
    run = click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; ASSAYMARK_TOKEN by default.")(run)
    return click.option("--server", default="", help="Address of the server that is asked; ASSAYMARK_SERVER by default.")(run)


@command.command("list")
@click.argument("name", required=False, default="")
@click.option("--kind", type=click.Choice(_KINDS), default=None, help="Only components of this kind.")
@click.option("--state", type=click.Choice(_STATES), default=None, help="Only components that stand so.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@_of_server
def list_command(name: str, kind: str | None, state: str | None, limit: int, server: str, token_file: Path | None, as_json: bool) -> None:
    """List components whose short name begins with NAME, or those of a package URL."""
    from assaymark.cli import approved_there
    from assaymark.cli.server_there import server_at

    there = server_at(server, token_file)
    rows: list[dict[str, Any]] = []
    after = ""
    while len(rows) < limit:
        page = approved_there.get(
            there, "/approved", name=name, kind=kind or "", state=state or "", after=after, limit=str(min(200, limit - len(rows)))
        )
        rows += page.get("items", [])
        after = page.get("next") or ""
        if not after:
            break
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        used = row["adoption"]["subjects"]
        more = "+" if row["adoption"]["at_least"] else ""
        instead = f"  take {row['instead']}" if row["instead"] else ""
        click.echo(_plain(f"{row['id']:>8}  {row['state']:<13} {row['name']}@{row['version']}  used by {used}{more}{instead}"))


@command.command("show")
@click.argument("number", type=click.IntRange(1, 10**18))
@click.option("--as-of", default="", help="A day or an instant.")
@_of_server
def show_command(number: int, as_of: str, server: str, token_file: Path | None, as_json: bool) -> None:
    """Show the component of this NUMBER: how it stands, what vouches for it, who uses it."""
    from assaymark.cli import approved_there
    from assaymark.cli.server_there import server_at

    found = approved_there.get(server_at(server, token_file), f"/approved/{number}", as_of=as_of)
    if as_json:
        _print_json(found)
        return
    summary = found["summary"]
    click.echo(_plain(f"{summary['name']}@{summary['version']} is {summary['state']}"))
    lines = [("in its way", ", ".join(summary["why"])), ("take instead", summary["instead"]), ("advisories", _ids(summary["advisories"]))]
    lines += [("in use from", found["oldest_in_use"]), ("to", found["newest_in_use"]), ("where it stands", found["remark"])]
    for word, text in lines:
        if text:
            click.echo(_plain(f"  {word} {text}"))
    for row in found["endorsements"]:
        click.echo(_plain(f"  endorsed with {row['subject_name']}: {row['digest']}{'' if row['is_valid'] else ' (not valid any more)'}"))
    for row in found["users"]:
        click.echo(_plain(f"  used by {row['name']}"))


@command.command("check")
@click.argument("target", required=False, default="")
@click.option("--subject", type=click.IntRange(1, 10**18), default=None, help="Number of a subject, whose waivers count as well.")
@_of_server
def check_command(target: str, subject: int | None, server: str, token_file: Path | None, as_json: bool) -> None:
    """Say which components of TARGET may not be used, and what to take instead: a lock file, a folder, an archive, a commit.

    Ends with 0 when all may be used, with 1 when some may not.
    """
    from assaymark.cli import approved_there
    from assaymark.cli.server_there import server_at

    there = server_at(server, token_file)
    places, gaps = _packages(target)
    answers = approved_there.check(there, list(places), subject)
    refused = [{**row, "paths": places[row["purl"]]} for row in answers if row.get("approved") is not True]
    if as_json:
        _print_json({"checked": len(answers), "refused": refused, "unread": gaps})
    else:
        for row in refused:
            instead = f": take {row['instead']}" if row.get("instead") else ""
            why = row.get("problem") or ", ".join(row.get("why", [])) or row.get("state", "")
            click.echo(_plain(f"{', '.join(row['paths'])}: {row['purl']} may not be used ({why}){instead}"))
        for gap in gaps:
            click.echo(_plain(f"not looked at: {gap}"), err=True)
        click.echo(f"{len(answers)} components, {len(refused)} of them may not be used", err=True)
    if refused or gaps:
        sys.exit(_REFUSED)


def _packages(target: str) -> tuple[dict[str, list[str]], list[str]]:
    """Package URL -> paths that name it, and what could not be read."""
    from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, purl_of
    from assaymark.checks.application.dependencies.packages import Source

    places: dict[str, list[str]] = {}
    gaps: list[str] = []
    for path, sets in _sets(target):
        gaps += [f"{path}: {sentence}" for _, sentence in sets.problems]
        for package in sets.packages:
            if package.source is Source.PATH:
                continue
            try:
                purl = str(purl_of(package, sets.release))
            except PurlInvalid as error:
                gaps.append(f"{path}: {package.name}: {error}")
                continue
            if package.source is Source.GIT:
                gaps.append(f"{path}: {purl} comes from a commit, which nothing endorses by name")
                continue
            if path not in places.setdefault(purl, []):
                places[purl].append(path)
    return places, gaps


def _sets(target: str) -> list[tuple[str, Any]]:
    from assaymark.checks.application.dependencies.readers import Unreadable, dialect_of, read
    from assaymark.cli.target import Words, read_words
    from assaymark.errors import UsageError
    from assaymark.stock import stock_of

    file = Path(target) if target else None
    if file is None or not file.is_file() or dialect_of(file.name) is None:
        comparison, _, _ = read_words(Words(target=target))
        return [(each.path, each.packages) for each in stock_of(comparison.head)]
    dialect = dialect_of(file.name)
    assert dialect is not None  # noqa: S101 - asked above
    try:
        return [(target, read(dialect, file.read_bytes()))]
    except (OSError, Unreadable) as error:
        raise UsageError(
            f"{target} cannot be read", why=str(getattr(error, "reason", error)), advice="name a lock file or a folder"
        ) from error


def _ids(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['id']} ({row['severity']})" for row in rows)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, sort_keys=True))


def _plain(text: str) -> str:
    """Without letters that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
