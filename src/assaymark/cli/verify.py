"""`assay verify`: whether something is approved, in any pipeline; without a network, unless a server is named to ask for endorsements."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.endorsement.asking.answer import Answer, Question
    from assaymark.endorsement.asking.asked import Asked
    from assaymark.endorsement.asking.believed import Believed
    from assaymark.endorsement.asking.bundles import Found
    from assaymark.endorsement.verify import Logged
    from assaymark.model.assessment import Instant

_FORMATS = ("text", "json", "sarif", "junit")
_MOST = 10_000
EXIT = {"approved": 0, "refused": 1, "unreadable": 3, "unproven": 5}
"""By the outcome of the whole."""


@click.command("verify")
@click.argument("targets", nargs=-1, required=True)
@click.option("--bundle", "bundles", multiple=True, help="File or folder with endorsements; beside the target by default. Repeatable.")
@click.option("--server", default="", help="Server that is asked for endorsements as well; it needs a token.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; ASSAYMARK_TOKEN by default.")
@click.option("--trust", default="", help="Folder that `assay trust` keeps, a folder with trust.json, or such a file.")
@click.option(
    "--revocations", default="", help="List of revocations, beside a trust.json or a key; revocations.json of the folder by default."
)
@click.option(
    "--key", "keys", multiple=True, help="Public key (PEM) to believe instead of a trust document; repeatable, each alone counts."
)
@click.option("--verifier", default="", help="Id of the verifier that --key speaks for.")
@click.option("--resource", default="", help="What it has to be approved as, e.g. oci://registry.example/shop/web.")
@click.option("--environment", default="", help="Where it is to run.")
@click.option("--level", "levels", multiple=True, help="Level that it has to have; repeatable.")
@click.option("--max-age", default=0, type=click.IntRange(min=0), help="Days since it was judged, at most; 0: no bound.")
@click.option("--platform", default="", help="Of an image for several platforms: the one that has to be judged, e.g. linux/arm64.")
@click.option("--proof", default="", help="The log's proof (tlog-proof) for the bundle; <bundle>.tlog-proof beside it by default.")
@click.option("--owned", is_flag=True, help="Of folders: owners, groups, permissions and attributes count, as for what runs.")
@click.option("--manifest", default="", help="Write the manifest of the one folder that is named to this file.")
@click.option("-f", "--format", "form", default="text", type=click.Choice(_FORMATS), help="Format of the answer.")
@click.option("-o", "--output", default="", help="Write the answer to this file instead of printing it.")
def command(
    targets: tuple[str, ...],
    bundles: tuple[str, ...],
    server: str,
    token_file: Path | None,
    trust: str,
    revocations: str,
    keys: tuple[str, ...],
    verifier: str,
    resource: str,
    environment: str,
    levels: tuple[str, ...],
    max_age: int,
    platform: str,
    proof: str,
    owned: bool,
    manifest: str,
    form: str,
    output: str,
) -> int:
    """Say whether TARGETS are approved: files, folders, commits, images by digest, digests.

    Ends with 0 when all are approved, 1 when one is refused, 3 when one cannot be read, 5 when nothing was shown either way: there is no
    endorsement, or the trust is too old.
    """
    from assaymark.endorsement.asking.answer import Question, about, whole
    from assaymark.endorsement.asking.asked import asked, write_manifest
    from assaymark.endorsement.verify import Expected
    from assaymark.errors import UsageError
    from assaymark.subjects.manifest import Form

    if len(targets) > _MOST:
        raise UsageError(f"{len(targets)} targets are too many", why=f"at most {_MOST} are verified at once")
    if manifest and len(targets) != 1:
        raise UsageError("--manifest needs one folder", why=f"{len(targets)} targets were named")
    now = _now()
    believed = believing(trust, keys, verifier, revocations, now)
    question = Question(Expected(resource, environment, levels, max_age, platform), believed, now, prover(believed, proof))

    def asking(word: str) -> Asked:
        found = asked(word, Form.OWNED if owned else Form.PORTABLE)
        if manifest:
            write_manifest(found, manifest)
        return found

    gather = _gatherer(bundles, server, token_file)
    answers = [about(word, asking, gather, question) for word in targets]
    _say(answers, question, form, output)
    return EXIT[whole(answers)]


def _now() -> Instant:
    from assaymark.model.assessment import Instant

    return Instant(time.time_ns() // 1_000)


def believing(trust: str, keys: tuple[str, ...], verifier: str, revocations: str, now: Instant) -> Believed:
    from assaymark.endorsement.asking import believed
    from assaymark.errors import UsageError

    if bool(trust) is bool(keys):
        raise UsageError(
            "say whom to believe", why="either --trust or --key is needed", advice="--trust FOLDER, or --key PEM --verifier ID"
        )
    if trust and verifier:
        raise UsageError("--verifier belongs to --key", why="a trust document names its verifiers itself")
    return believed.from_place(trust, revocations, now) if trust else believed.from_keys(keys, verifier, revocations)


def _gatherer(bundles: tuple[str, ...], server: str, token_file: Path | None) -> Callable[[Asked], list[Found]]:
    """Where endorsements are looked for: in files, and at a server only when one is named."""
    from assaymark.endorsement.asking.bundles import Found, gathered, split

    if not server:
        return lambda asked: gathered(asked, bundles)
    from assaymark.cli.endorse_there import Bundles

    there = Bundles(server, token_file)

    def gather(asked: Asked) -> list[Found]:
        found = gathered(asked, bundles)
        for digest in asked.digests:
            said = there.about(digest)
            found += [Found(server, piece) for piece in split(said)] if said else []
        return found

    return gather


def prover(believed: Believed, proof: str) -> Callable[[Found], Logged | None]:
    """What the log's proof shows, where there is one; without a log in the trust document there is nothing to compare it with."""
    from assaymark.endorsement.asking.bundles import read_file
    from assaymark.errors import UsageError

    log = believed.trust.trust.log
    given = read_file(Path(proof)) if proof else None
    if log is None:
        if given is not None and believed.refused is None:
            raise UsageError("--proof proves nothing", why="the trust document names no log", advice="leave --proof out")
        return lambda _: None

    def prove(found: Found) -> Logged | None:
        data = given if given is not None else found.proof
        if data is None:
            return None
        from assaymark.endorsement.log.proof import logged

        return logged(data, log)

    return prove


def _say(answers: list[Answer], question: Question, form: str, output: str) -> None:
    from importlib import import_module

    from assaymark.cli.show import emit
    from assaymark.subjects.given import write_given

    module = import_module(f"assaymark.endorsement.told.{'document' if form == 'json' else form}")
    text: str = module.render(answers, question)
    if not output:
        emit(text)
        return
    write_given(Path(output), text.encode("utf-8", "backslashreplace"))
