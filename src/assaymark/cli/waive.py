"""`assay waive`: accept a risk, with a reason, an owner and an end, as a row of the policy file that goes through review like code."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path

import click

from assaymark.errors import UsageError
from assaymark.model.finding import RuleId
from assaymark.model.rules import TOOLS, catalogue
from assaymark.verdict.policy import POLICY_FILE, Gate, parse_policy


@click.command("waive")
@click.argument("finding", required=False, default="")
@click.option("--rule", default="", help="A rule or family instead of one finding.")
@click.option("--path", "glob", default="", help="Path glob; narrows a finding or rule, or stands for itself.")
@click.option("--reason", required=True, help="Why the risk is acceptable.")
@click.option("--owner", default="", help="Who answers for it; git's user.email by default.")
@click.option("--approver", default="", help="Who agreed, where the policy asks for a second person.")
@click.option("--until", default="", help="Last day, e.g. 2027-01-31.")
@click.option("--days", type=click.IntRange(1, 3650), default=None, help="Instead of --until: so many days from today.")
@click.option("--count", type=click.IntRange(1), default=1, help="How many equal occurrences of the finding it covers.")
@click.option("--rotated", is_flag=True, help="The secret was made worthless at its issuer.")
def command(
    finding: str, rule: str, glob: str, reason: str, owner: str, approver: str, until: str, days: int | None, count: int, rotated: bool
) -> None:
    """Accept FINDING (an id that a check printed) for a reason, until a day."""
    from assaymark import config
    from assaymark.cli.last import find
    from assaymark.cli.place import root_here

    settings = config.load()
    root = root_here()
    path = Path(root) / POLICY_FILE
    gate = parse_policy(path.read_bytes() if path.exists() else b"", path.name).gate
    last = _until(until, days, settings.today)
    _within(gate, last, settings.today, owner or email_here(root), approver)
    if rule and not _is_rule(rule):
        raise UsageError(f"there is no rule or family {rule!r}", advice="`assay rules` and `assay rules --classes` list them")
    row: dict[str, object] = {}
    if finding:
        row["finding"] = find(settings.cache, root, finding).fingerprint
    row |= {"rule": rule, "path": glob, "reason": reason, "owner": owner or email_here(root), "approver": approver}
    row["until"] = last
    row |= {"count": count if count > 1 else "", "rotated": rotated or ""}
    append_waiver(path, {key: value for key, value in row.items() if value != ""})
    click.echo(f"waived until {row['until']}: the row is in {path.name}, commit it with your change")


def _within(gate: Gate, last: dt.date, today: dt.date, owner: str, approver: str) -> None:
    """Refuse now what the verdict would not honour later."""
    if last < today:
        raise UsageError(f"{last} is over", advice="choose a day to come")
    if (last - today).days > gate.max_waiver_days:
        latest = today + dt.timedelta(days=gate.max_waiver_days)
        raise UsageError(f"{last} is too far", why=f"the policy allows {gate.max_waiver_days} days", advice=f"choose {latest} or earlier")
    if gate.approver_required and approver.strip() in ("", owner.strip()):
        raise UsageError("the policy asks for an approver besides the owner", advice="name one with --approver")


def _is_rule(text: str) -> bool:
    """Rules of external tools can't be listed: their names are believed."""
    known = catalogue()
    return text in known.classes or RuleId(text) in known.rules or ("/" in text and text.partition("/")[0] not in TOOLS)


def append_waiver(path: Path, row: dict[str, object]) -> None:
    """Add a row to the policy file, leaving every other byte as it is; nothing is written unless the result is a valid policy."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [f"{key} = {_toml(value)}" for key, value in row.items()]
    text = (
        before + ("" if not before or before.endswith("\n") else "\n") + ("\n" if before else "") + "\n".join(["[[waiver]]", *lines]) + "\n"
    )
    parse_policy(text.encode(), path.name)
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _toml(value: object) -> str:
    """A basic string of TOML has JSON's escapes; dates, numbers and booleans stand bare."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case dt.date():
            return value.isoformat()
        case _:
            return json.dumps(str(value), ensure_ascii=True).replace("\x7f", "\\u007F")


def _until(until: str, days: int | None, today: dt.date) -> dt.date:
    if until and days is not None:
        raise UsageError("--until and --days were both given", advice="give one of them")
    if days is not None:
        return today + dt.timedelta(days=days)
    if not until:
        raise UsageError("a waiver needs an end", advice="give --until 2027-01-31 or --days 90")
    try:
        return dt.date.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"--until {until!r} is no date", advice="write it as 2027-01-31") from error


def email_here(root: str) -> str:
    answer = subprocess.run(["git", "config", "user.email"], cwd=root, capture_output=True, text=True, check=False)
    if answer.returncode or not answer.stdout.strip():
        raise UsageError("nobody is named as owner", advice="give --owner, or set git's user.email")
    return answer.stdout.strip()
