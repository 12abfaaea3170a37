"""`assay rules`: what is looked for."""

from __future__ import annotations

from collections.abc import Sequence

import click

from assaymark.model.rules import catalogue


@click.command("rules")
@click.argument("word", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--classes", is_flag=True, help="List the families instead of the rules.")
def command(word: str, as_json: bool, classes: bool) -> None:
    """List the rules whose id, family or title holds WORD."""
    rows, lines = _classes(word.lower()) if classes else _rules(word.lower())
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=1).decode())
        return
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo(f"nothing matches {word!r}; `assay rules` lists everything", err=True)


def _classes(word: str) -> tuple[Sequence[object], list[str]]:
    rows = sorted((c for c in catalogue().classes.values() if word in f"{c.id} {c.title} cwe-{c.cwe}".lower()), key=lambda c: c.id)
    return rows, [f"{c.id:32} {f'CWE-{c.cwe}' if c.cwe else '-':9} {c.title}" for c in rows]


def _rules(word: str) -> tuple[Sequence[object], list[str]]:
    every = catalogue().rules.values()
    rows = sorted((r for r in every if word in f"{r.id} {r.rule_class} {r.title} {' '.join(r.aliases)}".lower()), key=lambda r: r.id)
    return rows, [f"{r.id:44} {r.severity:8} {r.rule_class:28} {r.title}" for r in rows]
