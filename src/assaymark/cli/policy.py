"""`assay policy`: policies of an organisation as files: read, compared, tried by their own examples, simulated over a server's verdicts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.errors import UsageError

if TYPE_CHECKING:
    from assaymark.server.service import Service
    from assaymark.store.simulations import OutcomeRow, SimulationRow
    from assaymark.verdict.organisation import OrganisationPolicy

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
_SHOWN = 20


@click.group("policy")
def command() -> None:
    """Check, test and simulate policies of an organisation."""


def _read(files: tuple[Path, ...]) -> list[tuple[str, OrganisationPolicy]]:
    from assaymark.verdict.organisation_file import MOST_BYTES, parse

    found: list[tuple[str, OrganisationPolicy]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), advice="name a file of policies") from error
        found += [(str(path), policy) for policy in parse(data, str(path))]
    return found


@command.command("check")
@_FILES
@click.option("--against", type=click.Path(path_type=Path), help="Name what is weaker than in this file, and exit 1 if anything is.")
def check_command(files: tuple[Path, ...], against: Path | None) -> None:
    """Read files of policies strictly, and say what each is."""
    found = _read(files)
    before = {policy.metadata.name: policy for _, policy in _read((against,))} if against is not None else {}
    from assaymark.verdict.organisation import weaker

    weak = False
    for path, policy in found:
        meta = policy.metadata
        click.echo(f"{path}: {meta.name} {meta.version}, {len(policy.rules)} rules, {policy.digest}")
        for each in weaker(before.pop(meta.name, None), policy) if against is not None else ():
            weak = True
            click.echo(f"  weaker: {each.text}")
    for name in sorted(before):
        weak = True
        click.echo(f"  weaker: policy {name} is gone")
    if weak:
        sys.exit(1)


@command.command("test")
@_FILES
@click.option("-v", "--verbose", is_flag=True, help="Also name the examples that passed.")
def try_command(files: tuple[Path, ...], verbose: bool) -> None:
    """Try each rule's own examples; exit 1 if one goes otherwise."""
    from assaymark.verdict.organisation_file import tried

    passed = failed = 0
    for path, policy in _read(files):
        for each in tried(policy):
            passed, failed = passed + each.passed, failed + (not each.passed)
            if verbose or not each.passed:
                mark = "ok" if each.passed else "FAILED"
                said = f": {each.said}" if each.said else ""
                click.echo(f"{mark} {path}: {policy.metadata.name}/{each.rule}, {each.example}{said}")
        bare = [rule.id for rule in policy.rules if not rule.examples]
        if bare:
            click.echo(f"note: {path}: {', '.join(bare)} {'has' if len(bare) == 1 else 'have'} no examples")
    click.echo(f"{passed} passed, {failed} failed")
    if failed:
        sys.exit(1)


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a policy, for editors."""
    from assaymark.verdict.organisation import schema

    click.echo(json.dumps(schema(), indent=2))


@command.command("simulate")
@_FILES
@click.option("--most", default=500, show_default=True, type=click.IntRange(1, 2000), help="So many of the newest verdicts.")
@click.option("--data", default="", help="Folder of the server's data.")
@click.option("--database", default="", help="URL of PostgreSQL; SQLite in the data folder without it.")
def simulate_command(files: tuple[Path, ...], most: int, data: str, database: str) -> None:
    """Judge the newest verdicts of the server on this machine again as if these policies were in force; nothing takes effect."""
    found = _read(files)
    from assaymark.cli.person import of_machine

    with of_machine(data, database, "") as service:
        row, rows = _simulated(service, [policy for _, policy in found], most)
    counts = row.counts
    if row.problem:
        raise UsageError("the simulation failed", why=row.problem)
    click.echo(f"would have stopped {counts.stopped} of the last {counts.judged} changes")
    click.echo(f"would have let through {counts.let_through}; stopped for another outcome {counts.otherwise}; the same {counts.same}")
    for why, many in counts.why_unknown.items():
        click.echo(f"cannot be told for {many}: {why}")
    for name, many in counts.by_rule.items():
        click.echo(f"  {many:5} {name}")
    for other in [other for other in rows if other.would][:_SHOWN]:
        told = "; ".join((*other.detail.reasons, *(f"no longer: {text}" for text in other.detail.gone)))
        click.echo(f"{other.assessment} {other.subject_name}: {other.was} -> {other.would}: {told[:200]}")
    click.echo(f"kept as simulation {row.id}")


def _simulated(service: Service, policies: list[OrganisationPolicy], most: int) -> tuple[SimulationRow, list[OutcomeRow]]:
    import msgspec

    from assaymark.server.work import simulate
    from assaymark.store import simulations
    from assaymark.store.simulations import Wish

    texts = {policy.metadata.name: msgspec.json.encode(policy).decode() for policy in policies}
    if len(texts) < len(policies):
        raise UsageError("two of these policies have one name", advice="simulate one version of each")
    with service.database.write() as link:
        wish = Wish("machine", None, simulate.named(link, policies, service), msgspec.json.encode(texts).decode(), most)
        number = simulations.add(link, wish, service.now())
    simulate.simulate(service, {"simulation": number}, simulate.Patient())
    with service.database.read() as link:
        row = simulations.get(link, number)
        rows = simulations.differing(link, number, None, limit=2000)
    assert row is not None  # noqa: S101 - it was made above
    return row, rows
