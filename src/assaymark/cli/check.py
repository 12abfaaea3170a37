"""`assay check`: did this change make security worse?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from assaymark.errors import UsageError
from assaymark.views.formats import FORMATS


@click.command("check")
@click.argument("target", required=False, default="")
@click.option("--staged", is_flag=True, help="What `git commit` would record.")
@click.option("--all", "whole", is_flag=True, help="Judge everything there is, not only what changed.")
@click.option("--history", "past", is_flag=True, help="Look for secrets in every content that was ever committed.")
@click.option("--base", default="", help="Compare with this revision's merge base (or with this folder, archive or image) instead.")
@click.option("--baseline", default="", type=click.Path(dir_okay=False), help="Compare with a baseline that was recorded.")
@click.option("-f", "--format", "form", type=click.Choice(list(FORMATS)), default="terminal", show_default=True)
@click.option("--report", multiple=True, metavar="FORMAT=FILE", help="Write a further report; may be repeated.")
@click.option("-o", "--output", default="", help="Write --format to this file instead of the terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Everything that is known, with time per check.")
@click.option("--category", default="assaymark", show_default=True, help="Stable name of this run among others (SARIF, comments).")
@click.option("--trend", type=click.IntRange(0, 10_000), default=0, help="Draw the posture of so many commits into the HTML report.")
@click.option("--no-memory", is_flag=True, help="Neither use nor write the facts store.")
def command(
    target: str,
    staged: bool,
    whole: bool,
    past: bool,
    base: str,
    baseline: str,
    form: str,
    report: tuple[str, ...],
    output: str,
    verbose: bool,
    category: str,
    trend: int,
    no_memory: bool,
) -> int:
    """Say whether a change made security worse.

    TARGET is a commit (compared with its parent), a range A..B or A...B, a folder, an archive or a container image. Without it: the
    working tree against HEAD.

    Exit code 0: not worse. 1: worse. 5: something that changed could not be checked.
    """
    from assaymark import compose, config
    from assaymark.chronicle import chronicle
    from assaymark.cli import last, show
    from assaymark.cli.place import need_repository
    from assaymark.cli.target import Words, read_words
    from assaymark.engine.progress import RichProgress
    from assaymark.excavation import excavate
    from assaymark.flow import Request, assay
    from assaymark.verdict.baseline import load
    from assaymark.views.formats import renderer

    _one_thing(target=target, staged=staged, whole=whole, past=past, base=base)
    settings = config.load()
    progress = RichProgress() if sys.stderr.isatty() else None
    surroundings = compose.context(settings, progress=progress, remember=not no_memory)
    if past:
        repository = need_repository()
        root, verdict = repository.shown, excavate(repository, surroundings)
    else:
        comparison, root, alone = read_words(Words(target=target, staged=staged, base=base, cache=settings.cache))
        known = load(_bytes(baseline), baseline) if baseline else None
        verdict = assay(Request(comparison, whole=whole or alone, baseline=known), surroundings)
    last.keep(settings.cache, root, verdict)
    points = chronicle(need_repository(), "HEAD", trend, surroundings) if trend else ()
    project = os.path.basename(root)  # noqa: PTH119 - a string is wanted
    given = show.options(verbose=verbose, category=category, project=project, history=points)
    for spec in report:
        show.write_report(verdict, spec, given)
    if output:
        show.write_report(verdict, f"{form}={output}", given)
    else:
        show.emit(renderer(form)(verdict, given))
    surroundings.settle()
    return show.EXIT[verdict.outcome]


def _one_thing(*, target: str, staged: bool, whole: bool, past: bool, base: str) -> None:
    """Refuse words that contradict each other instead of overlooking one."""
    if past and (target or staged or whole or base):
        raise UsageError("--history looks at everything that was ever committed", advice="give it alone")
    if whole and base:
        raise UsageError("--all compares with nothing", why="a base was given too", advice="leave one of them out")


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
