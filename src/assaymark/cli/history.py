"""`assay history`: how the posture went. Computed from the commits themselves: content that was seen once is not read again."""

from __future__ import annotations

import sys

import click


@click.command("history")
@click.argument("revisions", required=False, default="HEAD")
@click.option("--last", "most", type=click.IntRange(1, 100_000), default=30, show_default=True, help="So many commits at the most.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(revisions: str, most: int, as_json: bool) -> None:
    """Show the posture after each commit of REVISIONS (first parents, newest last)."""
    from assaymark import compose, config
    from assaymark.chronicle import chronicle
    from assaymark.cli import show
    from assaymark.cli.place import need_repository
    from assaymark.engine.progress import RichProgress
    from assaymark.views.history import render, render_json

    surroundings = compose.context(config.load(), progress=RichProgress() if sys.stderr.isatty() else None)
    points = chronicle(need_repository(), revisions, most, surroundings)
    show.emit(render_json(points) if as_json else render(points, show.style_for(sys.stdout)))
