"""`assay breakglass`: signed orders by which something runs without an approval, for some hours, shown everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.cli.deploying import options

_MOST_HOURS = 720


@click.group("breakglass")
def command() -> None:
    """Sign and show orders that let something run without an approval."""


@command.command("sign")
@click.argument("environment")
@click.argument("component")
@click.argument("digest")
@click.option("--key", required=True, help="Where the key is: a file, or an address as pkcs11:…")
@click.option("--reason", required=True, help="Why; it is shown wherever it runs.")
@click.option("--hours", type=click.FloatRange(0.01, _MOST_HOURS), default=4.0, show_default=True, help="For how long it holds.")
@click.option("--actor", default="", help="Who orders it; this login by default.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the order.")
def sign(environment: str, component: str, digest: str, key: str, reason: str, hours: float, actor: str, output: Path) -> None:
    """Order that DIGEST may run as COMPONENT in ENVIRONMENT from now on, although nothing approves it."""
    import time

    from assaymark.cli.deploying import actor_of
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.deployment.phoenix import breakglass
    from assaymark.deployment.phoenix.breakglass import Said, Wanted
    from assaymark.endorsement.approval import stamp
    from assaymark.endorsement.signers.opening import open_signer
    from assaymark.errors import UsageError
    from assaymark.model.assessment import SECOND, Instant

    now = Instant(int(time.time()) * SECOND)
    until = Instant(now + max(int(hours * 3600), 1) * SECOND)
    said = Said(environment, component, actor_of(actor), reason, stamp(now), stamp(until))
    signer = open_signer(key if ":" in key.partition("/")[0] else f"file:{Path(key).absolute()}")
    data = breakglass.written(Wanted(digest, Pair(environment, component)), said, signer)
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{output} cannot be written", why=error.strerror or str(error)) from error
    click.echo(
        f"{signer.public.id} orders it until {said.expires}; let it run: assay deploy {environment} {component} … --breakglass {output}"
    )


@command.command("show")
@click.argument("environment", required=False, default="")
@click.argument("component", required=False, default="")
@options
def show(environment: str, component: str, form: str, state: str, terms_file: Path) -> int:
    """Tell which orders were given to this deployer, and which of them hold. Ends with 1 when one holds, so that monitoring notices."""
    import time

    from assaymark.cli import deploying
    from assaymark.cli.show import emit
    from assaymark.deployment.phoenix import breakglass, shown
    from assaymark.deployment.phoenix.fresh import believing
    from assaymark.deployment.phoenix.journal import pairs_of
    from assaymark.model.assessment import Instant

    site, now = deploying.site_of(terms_file, state), Instant(time.time_ns() // 1000)
    believed = believing(site.document.believe)(now)
    pairs = sorted({*site.document.pairs, *pairs_of(site.state)})
    chosen = [each for each in pairs if environment in {"", each.environment} and component in {"", each.component}]
    rows = [
        row for pair in chosen if pair in site.document.pairs
        for row in breakglass.listed(site.state, pair, site.document.of(pair).breakglass, believed, now)
    ]  # fmt: skip
    if form == "json":
        emit(shown.document(shown.Orders(tuple(rows))).decode())
    else:
        emit("".join(f"{each.environment}/{each.component}: {breakglass.row_in_words(each)}\n" for each in rows) or "no order was given\n")
    return 1 if any(each.holds for each in rows) else 0


@command.command("end")
@click.argument("environment")
@click.argument("component")
@click.argument("order")
@options
def end(environment: str, component: str, order: str, form: str, state: str, terms_file: Path) -> None:
    """End ORDER (its id, or the beginning of it) at this deployer before its time; the next round of the keeper takes away what it let run.

    Elsewhere it holds on: revoke it there by its id, as an endorsement is revoked.
    """
    from assaymark.cli import deploying
    from assaymark.deployment.drivers.driver import Pair
    from assaymark.deployment.drivers.naming import label
    from assaymark.deployment.phoenix import breakglass

    del form
    site, pair = deploying.site_of(terms_file, state), Pair(environment, component)
    site.document.of(pair)
    name = breakglass.ended(site.state / label(pair) / breakglass.FOLDER, order)
    click.echo(f"{name} is ended here")
