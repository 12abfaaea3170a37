"""`assay gate`: protected branches of a plain git host take only approved commits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.model.assessment import Instant
    from assaymark.subjects.repository import Repository
    from assaymark.triggers.gate import Judged

_REPOSITORY = click.argument("repository", default=".")


@click.group("gate")
def command() -> None:
    """Let protected branches of a git host take only approved commits."""


@command.command("install")
@_REPOSITORY
@click.option("--trust", required=True, help="Folder of what this host believes; `assay trust update` keeps it current.")
@click.option("--revocations", default="", help="List of what was revoked, where --trust is one document and no folder.")
@click.option(
    "--protect", "protected", multiple=True, default=("refs/heads/main",), show_default=True, help="Ref, or refs/heads/release/*."
)
@click.option("--resource", default="", help="That an endorsement must be about, e.g. git+https://git.example.org/shop.git.")
@click.option("--environment", default="", help="That it must be approved for.")
@click.option("--level", "levels", multiple=True, help="That it must have, e.g. ORG_SOURCE_QUALITY_APPROVED.")
@click.option("--folder", default="", help="Folder of endorsements by commit, beside the notes.")
@click.option("--server", default="", help="That is asked where nothing nearer holds an endorsement.")
@click.option("--token-file", default="", help="File with a token for it, readable by the account of the git host only.")
def install_command(
    repository: str, trust: str, revocations: str, protected: tuple[str, ...], resource: str, environment: str, levels: tuple[str, ...],
    folder: str, server: str, token_file: str,
) -> None:  # fmt: skip
    """Install the gate in REPOSITORY, a bare one. It only audits until `assay gate enforce`."""
    import sys

    from msgspec.structs import replace

    from assaymark import hookclient
    from assaymark.cli.hooks import hooks_folder
    from assaymark.errors import UsageError
    from assaymark.triggers import gate_book, gate_files, notify
    from assaymark.triggers.gate import SETTINGS, Gate, Mode, belief_of, settings_of

    found = _repository(repository)
    odd = next((each for each in protected if not each.startswith("refs/")), "")
    if odd:
        raise UsageError(f"{odd!r} is no ref", advice=f"write it whole: refs/heads/{odd}")
    if server:
        try:
            notify.need_safe(server)
        except notify.Trouble as error:
            raise UsageError(str(error)) from error
    paths = [str(Path(each).absolute()) if each else "" for each in (trust, folder, token_file, revocations)]
    gate = Gate(
        paths[0], protected=protected, resource=resource, environment=environment, levels=levels, folder=paths[1], server=server,
        token_file=paths[2], revocations=paths[3],
    )  # fmt: skip
    belief_of(gate, _now())
    git_dir = Path(found.place.git_dir)
    if (git_dir / SETTINGS).exists():  # a gate that enforces does not stop because somebody installs it again
        gate = replace(gate, mode=settings_of(git_dir).mode)
    gate_book.write_settings(git_dir, gate)
    click.echo(
        gate_files.install(hooks_folder(found), gate_files.script(sys.executable, hookclient.program("assaymark.triggers.gate_hook")))
    )
    if gate.mode is Mode.AUDIT:
        click.echo("it says what it would refuse, and refuses nothing; when its book looks right: assay gate enforce")


@command.command("uninstall")
@_REPOSITORY
def uninstall_command(repository: str) -> None:
    """Take the gate out; its settings and its book stay."""
    from assaymark.cli.hooks import hooks_folder
    from assaymark.triggers import gate_files

    click.echo(gate_files.uninstall(hooks_folder(_repository(repository))))


@command.command("enforce")
@_REPOSITORY
@click.option("--audit", is_flag=True, help="The other way: refuse nothing any more.")
def enforce_command(repository: str, audit: bool) -> None:
    """Refuse from now on what the gate would have refused."""
    from assaymark.triggers import gate_book
    from assaymark.triggers.gate import Mode

    mode = Mode.AUDIT if audit else Mode.ENFORCE
    gate_book.change_mode(Path(_repository(repository).place.git_dir), mode)
    click.echo("the gate refuses nothing now" if audit else "the gate refuses what is not approved; way back: assay gate enforce --audit")


@command.command("open")
@_REPOSITORY
@click.option("--reason", required=True, help="Why; it is shown to everybody who pushes.")
@click.option("--hours", type=click.FloatRange(0.01, 72), default=1.0, show_default=True, help="For how long.")
def open_command(repository: str, reason: str, hours: float) -> None:
    """Let everything through for a while, in an emergency; whoever may write into REPOSITORY may do this."""
    import getpass

    from assaymark.endorsement.approval import stamp
    from assaymark.model.assessment import SECOND, Instant
    from assaymark.triggers import gate_book

    until = Instant(_now() + int(hours * 3600) * SECOND)
    gate_book.open_gate(Path(_repository(repository).place.git_dir), gate_book.Opening(until, getpass.getuser(), reason))
    click.echo(f"the gate is open until {stamp(until)}; close it sooner: assay gate close")


@command.command("close")
@_REPOSITORY
def close_command(repository: str) -> None:
    """End an opening."""
    from assaymark.triggers import gate_book

    was = gate_book.close_gate(Path(_repository(repository).place.git_dir))
    click.echo("the gate is closed" if was else "the gate was not open")


@command.command("status")
@_REPOSITORY
@click.option("--last", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many answers of its book.")
def status_command(repository: str, last: int) -> int:
    """Say how the gate is set, whether it works, and how protected branches stand. Exit code 1 when one of them is not approved."""
    from assaymark.cli.hooks import hooks_folder
    from assaymark.endorsement.approval import stamp
    from assaymark.triggers import gate_book, gate_files
    from assaymark.triggers.gate import belief_of, settings_of, standing
    from assaymark.triggers.gate_hook import asks_server

    found = _repository(repository)
    git_dir = Path(found.place.git_dir)
    gate = settings_of(git_dir)
    is_there = gate_files.is_installed(hooks_folder(found))
    click.echo(f"mode: {gate.mode.value}; hook: {'installed' if is_there else 'not installed'}; protects {', '.join(gate.protected)}")
    opened = gate_book.opening(git_dir, _now())
    if opened is not None:
        click.echo(f"open until {stamp(opened.until)} by {opened.by}: {opened.reason}")
    answers = standing(found.git, gate, belief_of(gate, _now()), asks_server(gate))
    for each in answers:
        click.echo(_line(each))
    for line in gate_book.last_lines(git_dir, last) if last else ():
        what = f"{line.ref} {line.commit[:12]}" if line.ref else "the whole push"
        click.echo(f"{line.at} {'passed' if line.ok else 'refused'} ({line.mode}) {what} {'; '.join(line.reasons)}".rstrip())
    return 0 if all(each.ok for each in answers) else 1


@command.command("pre-receive")
def pre_receive_command() -> int:
    """Judge a push: what the installed hook runs, for hosts that call hooks of their own. Git's lines are read from standard input."""
    from assaymark.triggers.gate_hook import REFUSES, asked

    code = asked(is_own=False)
    return 1 if code == REFUSES else code


def _line(each: Judged) -> str:
    why = "; ".join([*(f"{one.reason.value}: {one.text}" for one in each.refused), *([each.problem] if each.problem else [])])
    return f"{each.ref} {each.commit[:12]}: {'approved by ' + each.endorsement[:19] if each.ok else 'not approved: ' + why}"


def _repository(path: str) -> Repository:
    from assaymark.subjects.repository import discover

    return discover(path)


def _now() -> Instant:
    import time

    from assaymark.model.assessment import Instant

    return Instant(time.time_ns() // 1000)
