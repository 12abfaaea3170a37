"""The command `assay`: a lazy group, and the one place where errors become words and exit codes.

Exit codes: 0 pass, 1 fail, 5 unproven; 2 usage, 3 a tool or the subject is broken, 4 a defect of ours, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

import assaymark
from assaymark.errors import AssayError

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("check", "Say whether a change made security worse."),
    "explain": ("explain", "Why a finding matters, how it is exploited, safe code, references. Works offline."),
    "revoke": ("revoke", "Take back what was endorsed, at a server or in a list of one's own."),
    "waive": ("waive", "Accept a finding for a reason, with an owner, until a day."),
    "vex": ("vex", "Say in OpenVEX what was decided about the components' vulnerabilities."),
    "baseline": ("baseline", "Record what is known of a subject, show it, preview a migration of identities."),
    "history": ("history", "How the posture went, commit by commit."),
    "advisories": ("advisories", "Fetch, compile and tell what is known of other people's packages."),
    "sbom": ("sbom", "Write what the lock files name as a bill of materials."),
    "rules": ("rules", "List checks, rules and their families."),
    "policy": ("policy", "Check, test and simulate policies of an organisation."),
    "init": ("init", "Write a commented policy file and install the hooks."),
    "hook": ("hooks", "Install or take out git hooks."),
    "gate": ("gate", "Let protected branches of a git host take only approved commits."),
    "attach": ("attach", "Lay endorsements beside what they are about: registries, files, git notes."),
    "doctor": ("doctor", "Tell whether everything that the checks need is here, and prepare it."),
    "daemon": ("daemon", "Keep a warm process that answers the hooks at once."),
    "engine": ("engine", "Install optional engines, each in an environment of its own."),
    "replay": ("replay", "Measure how often 'new' lies on a history, beside the file+line+rule scheme."),
    "endorse": ("endorse", "Have what passed endorsed by a server, or sign it with a key of one's own."),
    "approved": ("approved", "Tell which components are known to be good, and which of mine are not."),
    "report": ("report", "Verify a report of the server without it."),
    "log": ("log", "Show, check, prove and pin the transparency log of endorsements."),
    "admission": ("admission", "Let a Kubernetes cluster start only what is Quality Approved."),
    "deploy": ("deploy", "Let an approved digest run as a new generation, and burn the one before."),
    "rollback": ("rollback", "Go back to an older digest as a new generation, when it may run now."),
    "burn": ("burn", "Take away what runs, and let nothing take its place."),
    "instances": ("instances", "Tell what runs, since when, and by which approval."),
    "phoenix": ("phoenix", "Keep what runs as it should be: replace what drifted, was revoked or is too old."),
    "breakglass": ("breakglass", "Sign and show orders that let something run without an approval, for some hours."),
    "bake": ("bake", "Make an image whose digest the same input gives again, with manifest, SBOM and verdict."),
    "edge": ("edge", "Stand before generations: the built-in edge, and what it says."),
    "machine-image": ("machineimage", "Seal machine images: sign which tree one holds, and tell what a seal says."),
    "verify": ("verify", "Say whether something is approved, in any pipeline, without the server."),
    "drift": ("drift", "Say what runs differently from what was endorsed, and who did it."),
    "trust": ("trust", "Hold whom to believe, what was revoked and what is approved; keys that sign."),
    "serve": ("serve", "Serve API, pages and workers: the whole platform in one command."),
    "worker": ("worker", "Work on what triggers set off, on as many machines as one likes."),
    "person": ("person", "Invite, list, close and reset accounts of the server on this machine."),
    "migrate": ("migrate", "Take over what DefectDojo or Dependency-Track hold."),
    "store": ("store", "Move, verify and back up what a server keeps."),
    "completion": ("completion", "Print the completion script for a shell."),
}
"""Name -> (module in this folder, summary); the module's object `command` is the command."""


class LazyGroup(click.Group):
    """Imports a sub-command when it is called, not when the group is listed."""

    # click passes its context by keyword: the names are not ours to choose.
    # ruff: noqa: ARG002

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"assaymark.cli.{COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(assaymark.__version__, prog_name="assay")
def cli() -> None:
    """Assaymark: one command says, in under a second, whether a change made security worse."""


def main() -> None:
    """Entry point of the console script."""
    try:
        code = cli.main(standalone_mode=False, prog_name="assay")
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except AssayError as error:
        print(error.diagnosis(), file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what was found out is remembered", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except Exception as error:  # the top of the shell: a defect is said as one, with what to do
        if os.environ.get("ASSAYMARK_DEBUG"):
            raise
        print(
            f"error[internal]: {type(error).__name__}: a defect of Assaymark\n"
            "  do this: run again with ASSAYMARK_DEBUG=1 and report the traceback; it holds no secret value",
            file=sys.stderr,
        )
        code = 4
    sys.exit(code if isinstance(code, int) else 0)
