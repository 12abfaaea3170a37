"""`assay explain`: offline help where the defect is."""

from __future__ import annotations

import sys

import click

from assaymark.errors import UsageError
from assaymark.model.finding import RuleClassId, RuleId
from assaymark.model.rules import catalogue


@click.command("explain")
@click.argument("finding")
@click.option("--language", default="", help="Show safe code for this language instead of the finding's own.")
def command(finding: str, language: str) -> None:
    """Explain FINDING: an id that a check printed, a rule (ruff/S602) or a family (sql-injection)."""
    from assaymark.cli.show import style_for
    from assaymark.views.explain import explanation, render_explanation

    known = catalogue()
    rule_class = known.class_of(RuleId(finding)) if RuleId(finding) in known.rules else RuleClassId(finding)
    if rule_class in known.classes:
        click.echo(_page(explanation(rule_class).source, language))
        return
    if "/" in finding and not finding.startswith("scope/"):
        raise UsageError(f"there is no rule {finding!r}", advice="`assay rules` lists them")
    from assaymark import config
    from assaymark.cli.last import find
    from assaymark.cli.place import root_here

    found = find(config.load().cache, root_here(), finding)
    click.echo(render_explanation(found, known.describe(found.rule), language, style=style_for(sys.stdout)), nl=False)


def _page(source: str, language: str) -> str:
    """The page as it is; with a language, without the code of the others."""
    if not language:
        return source.rstrip("\n")
    out: list[str] = []
    keep, inside = True, False
    for line in source.splitlines():
        if line.startswith("```"):
            if not inside:
                keep = line[3:].strip() in (language, "", "text")
            inside = not inside
            if keep:
                out.append(line)
            keep = keep or not inside
        elif keep:
            out.append(line)
    return "\n".join(out)
