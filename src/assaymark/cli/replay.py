"""`assay replay`: measure on a real history how often an untouched finding would be called new."""

from __future__ import annotations

import sys

import click


@click.command("replay")
@click.argument("revisions", required=False, default="HEAD")
@click.option("--last", "most", type=click.IntRange(2, 1_000_000), default=500, show_default=True, help="So many commits at the most.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(revisions: str, most: int, as_json: bool) -> None:
    """Replay REVISIONS (first parents) and print false-new rates of two schemes."""
    from assaymark import compose, config
    from assaymark.chronicle import look
    from assaymark.cli.place import need_repository
    from assaymark.engine.progress import RichProgress
    from assaymark.replay import replay

    surroundings = compose.context(config.load(), progress=RichProgress() if sys.stderr.isatty() else None)
    stretch = look(need_repository(), revisions, most, surroundings)
    scores = replay(stretch)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode({"commits": len(stretch.steps), "scores": scores}), indent=1).decode())
        return
    click.echo(f"{len(stretch.steps)} commits, {scores[0].surviving} findings on lines that a commit left alone")
    if not scores[0].surviving:
        click.echo("  nothing to measure: no finding stands in a file that one of these commits changed")
        return
    for score in scores:
        name = "Assaymark (scope, counted)" if score.scheme.startswith("scope") else "file + line + rule"
        click.echo(
            f"  {name:28} called new although untouched: {score.falsely_new:6} ({score.rate:6.1%})"
            f"   in {score.commits_with_lies} of {score.commits_with_findings} commits"
        )
