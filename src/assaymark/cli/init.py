"""`assay init`: the policy file with every setting explained, and the hooks."""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.errors import UsageError
from assaymark.verdict.policy import POLICY_FILE, Level

TEMPLATE = """\
# Policy of this repository. `assay check` judges every change by it; a change that loosens it is stopped like any other weakening.
# Every setting below that is commented out shows the value that the level gives it.

[policy]
# Risk appetite: prototype < internal < production < regulated. What each means: docs/reference/policy.md
level = "{level}"

# fail_on = "{fail_on}"                # info | low | medium | high | critical: new findings at or above it stop the change
# min_confidence = "{min_confidence}"       # low | medium | high: findings we are less sure of are shown and do not stop
# unproven = "{unproven}"               # stop | warn: when something that changed could not be checked
# inline_waivers = "{inline_waivers}"       # honour | ratchet | ignore: comments such as `# nosec`; ratchet = no further ones
# max_waiver_days = {max_waiver_days}           # longest time for which a risk may be accepted
# approver_required = {approver_required}       # true: somebody other than the owner approves each waiver

[checks]
# disable = ["zizmor"]              # checks that are off
# disable_rules = ["ruff/S101"]     # rules, or whole families such as "weak-hash"
# exclude = ["vendor/**"]           # paths that no check reads
# manifests = ["ci/semgrep.toml"]   # external tools, ten lines each: docs/how-to/add-a-tool.md
# secret_rules = ["ci/rules.toml"]  # further secret rules in gitleaks or betterleaks form
# vex = ["security/vex.json"]       # OpenVEX documents: vulnerabilities that do no harm here
# policies = ["ci/policies.toml"]   # rules of your own in CEL: docs/how-to/write-a-policy.md

[limits]
# file_mib = 8                      # larger files are reported as unchecked
# seconds = 600                     # for a whole run

# Accepted risks are written by `assay waive FINDING`; each has a reason, an owner and an end:
#
# [[waiver]]
# finding = "3f9a0c11d2e4"
# reason = "internal tool, input comes from our own job"
# owner = "ana@example.org"
# until = 2027-01-31
"""


def template(level: Level) -> str:
    """The commented default for a level."""
    from assaymark.verdict.policy import APPETITE

    gate = APPETITE[level]
    return TEMPLATE.format(
        level=level,
        fail_on=gate.fail_on,
        min_confidence=gate.min_confidence,
        unproven=gate.unproven,
        inline_waivers=gate.inline_waivers,
        max_waiver_days=gate.max_waiver_days,
        approver_required=str(gate.approver_required).lower(),
    )


@click.command("init")
@click.option("--level", type=click.Choice([str(level) for level in Level]), default=str(Level.PRODUCTION), show_default=True)
@click.option("--print", "only_print", is_flag=True, help="Print the policy instead of writing it.")
@click.option("--hooks/--no-hooks", default=True, show_default=True, help="Install the pre-commit and pre-push hooks too.")
@click.option("--force", is_flag=True, help="Overwrite a policy that is there.")
def command(level: str, only_print: bool, hooks: bool, force: bool) -> None:
    """Write a commented policy file and install the hooks."""
    text = template(Level(level))
    if only_print:
        click.echo(text, nl=False)
        return
    from assaymark.cli.place import repository_here

    repository = repository_here()
    path = Path(repository.root if repository else ".") / POLICY_FILE
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", advice="edit it, or overwrite it with --force")
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {path.name} (level {level})")
    _hint()
    if hooks and repository is not None:
        from assaymark.cli.hooks import install_all, prepare_checks

        for line in install_all(repository):
            click.echo(line)
        prepare_checks()
    click.echo("next: assay check --all")


def _hint() -> None:
    """What a first-time user would otherwise learn from the first verdict about a lock file."""
    from assaymark import config

    if not Path(config.load().advisories).exists():
        click.echo("for lock files: `assay advisories update` fetches what is known of other people's packages")
