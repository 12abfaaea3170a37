"""What the commands of a deployer have in common: terms, state folder, permit, driver, server, and how an answer is printed."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from assaymark.errors import AssayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assaymark.cli.deploy_there import There
    from assaymark.deployment.drivers.driver import Driver, Pair
    from assaymark.deployment.phoenix.permit import Permit, Permitted
    from assaymark.deployment.phoenix.shown import Ended
    from assaymark.deployment.phoenix.terms import Document, Terms
    from assaymark.endorsement.asking.asked import Asked
    from assaymark.endorsement.asking.bundles import Found
    from assaymark.model.assessment import Instant

EXIT = {"live": 0, "kept": 0, "stopped": 0, "planned": 0, "nothing": 0, "refused": 1, "aborted": 1, "unproven": 5}
"""By the outcome of a deploy; 2 for what makes no sense, 3 when the platform fails or another deployer is at it (`errors`)."""
_DIGEST = re.compile(r"(?:(?P<image>[^@\s]+)@)?(?P<digest>sha256:[0-9a-f]{64})")
_Command = Callable[..., Any]


def options(command: _Command) -> _Command:
    """Of every command of a deployer."""
    for option in (
        click.option("-f", "--format", "form", default="text", type=click.Choice(["text", "json"]), help="Format of the answer."),
        click.option("--state", default="", help="Folder of the journals; as the terms say, or $ASSAYMARK_DEPLOY, by default."),
        click.option(
            "--terms", "terms_file", type=click.Path(path_type=Path), default="assay-deploy.toml", show_default=True, help="Terms."
        ),
    ):
        command = option(command)
    return command


class Site(Struct, frozen=True):
    """Where things are."""

    document: Document
    state: Path
    there: There


class Recorded:
    """A permit that remembers its last answer, for the exit code and for notes."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self.last: Permitted | None = None

    def __call__(self, digest: str, pair: Pair, now: Instant, /) -> Permitted:
        self.last = self._permit(digest, pair, now)
        return self.last


def site_of(terms_file: Path, state: str) -> Site:
    """What the terms and the environment say.

    Raises:
        UsageError: when the terms cannot be read or make no sense.
    """
    from assaymark.cli.deploy_there import There
    from assaymark.deployment.phoenix.terms import load

    document = load(terms_file)
    folder = Path(state or document.state or default_state()).absolute()
    return Site(document, folder, There(document.server))


def default_state() -> Path:
    """``$ASSAYMARK_DEPLOY``, or this user's."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(os.environ.get("ASSAYMARK_DEPLOY") or Path(home) / "assaymark" / "deploy")


def driver_of(terms: Terms) -> Driver:
    """The pair's driver.

    Raises:
        UsageError: when it is none, or its settings make no sense.
    """
    from assaymark.deployment.drivers.opening import opened

    return opened(terms.driver, terms.options)


def permit_of(site: Site, pair: Pair, terms: Terms) -> Recorded:
    """Whether something may run as this pair, asked anew each time."""
    from assaymark.deployment.drivers.naming import label
    from assaymark.deployment.phoenix import breakglass
    from assaymark.deployment.phoenix.fresh import believing
    from assaymark.deployment.phoenix.permit import Endorsed, Sources
    from assaymark.endorsement.asking.bundles import Found, gathered, split

    def gather(asked: Asked) -> Sequence[Found]:
        found = gathered(asked, site.document.believe.bundles)
        if site.there.url:
            said = site.there.bundles(asked.digests[0])
            found += [Found(site.there.url, piece) for piece in split(said)] if said else []
        return found

    orders = site.state / label(pair) / breakglass.FOLDER
    return Recorded(Endorsed(terms, Sources(believing(site.document.believe), gather, orders, site.there.taken_back)))


def target_of(word: str, terms: Terms) -> tuple[str, str]:
    """Digest and image that a word of the user means.

    Raises:
        UsageError: when it is no digest; a tag is none.
    """
    found = _DIGEST.fullmatch(word)
    if found is None:
        raise UsageError(
            f"{word[:200]!r} is no digest", why="a tag may point elsewhere in a moment; only a digest is deployed",
            advice="write sha256:<64 hex digits>, or name@sha256:…",
        )  # fmt: skip
    digest, image = found["digest"], found["image"]
    if image is None and not terms.image:
        raise UsageError("it is not said which image", advice="write name@sha256:…, or image = … in the terms")
    return digest, f"{image or terms.image}@{digest}"


def actor_of(given: str) -> str:
    """Who asks: as given, or this login."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def outcome_of(state: str, last: Permitted | None, *, launched: bool) -> str:
    """Of a generation that came to its end."""
    if state in {"live", "stopped"}:
        return state
    if launched or last is None or last.ok:
        return "aborted"
    return "unproven" if last.standing == "unproven" else "refused"


def say(found: Ended, form: str) -> int:
    """Print it; gives the exit code."""
    from assaymark.cli.show import emit
    from assaymark.deployment.phoenix import shown

    emit(shown.document(found).decode() if form == "json" else shown.ended(found))
    return EXIT[found.outcome]


def note(text: str) -> None:
    """To standard error, without letters that steer a terminal."""
    click.echo("".join(letter if letter.isprintable() else "?" for letter in text), err=True)


def in_words(error: AssayError) -> str:
    return f"{error.what}{': ' if error.why else ''}{error.why}"
