"""What the reference lists is what the code has, no more and no less."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator

import click
import msgspec
import pytest
from tests.docs.docs_pages import DOCS, ROOT, sections

from assaymark import errors
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.cli import serve
from assaymark.cli.main import cli
from assaymark.cli.show import EXIT
from assaymark.model.finding import Kind
from assaymark.server import settings
from assaymark.verdict import policy
from assaymark.views.formats import FORMATS

REFERENCE = DOCS / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


# --- commands --------------------------------------------------------------------------------------------------------


def tree(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from tree(found, f"{name} {child}")


COMMANDS = dict(tree(cli, "assay"))


def shown(parameter: click.Parameter) -> str:
    """How a table names an option or argument."""
    if isinstance(parameter, click.Option):
        return ", ".join([*parameter.opts, *parameter.secondary_opts])
    return parameter.human_readable_name.upper()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_heading_and_each_option_a_row(name: str) -> None:
    found = sections(page("commands.md"))
    assert name in found
    rows = set(re.findall(r"^\| `([^`]+)`", found[name], re.MULTILINE))
    assert rows == {shown(parameter) for parameter in COMMANDS[name].params}


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert {heading for heading in sections(page("commands.md")) if heading.startswith("assay")} == set(COMMANDS)


# --- policy ----------------------------------------------------------------------------------------------------------

TABLES: dict[str, type[msgspec.Struct]] = {
    "[policy]": policy.GateSettings,
    "[checks]": policy.CheckTable,
    "[limits]": policy.Limits,
    "[[waiver]]": policy.Waiver,
    "[[exception]]": policy.RecordedException,
}


def rows_of(table: str) -> dict[str, str]:
    return {match[1]: match[0] for match in re.finditer(r"^\| `([a-z_]+)` \|.*$", sections(page("policy.md"))[table], re.MULTILINE)}


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_has_a_row(table: str) -> None:
    assert set(rows_of(table)) == set(TABLES[table].__struct_fields__)


def test_the_tables_are_all_there_are() -> None:
    assert {name.strip("[]") for name in TABLES} == set(policy.Policy.__struct_fields__)


@pytest.mark.parametrize("setting", policy.Gate.__struct_fields__)
def test_a_row_gives_the_default_of_each_level(setting: str) -> None:
    text = [str(getattr(gate, setting)).lower() for gate in policy.APPETITE.values()]
    cells = [cell.strip().strip("`") for cell in rows_of("[policy]")[setting].strip("|").split("|")]
    assert cells[2:6] == text


def test_the_names_of_weakenings_are_those_of_the_code() -> None:
    strict = policy.parse_policy(
        b'[policy]\nlevel = "regulated"\n[checks]\nmanifests = ["m"]\nsecret_rules = ["r"]\npolicies = ["p"]\nenable = ["checkov"]\n'
    )
    loose = policy.parse_policy(b'[policy]\nlevel = "prototype"\n[checks]\ndisable = ["d"]\ndisable_rules = ["u"]\nexclude = ["e"]\n')
    names = {weakening.name.partition(":")[0] for weakening in policy.weaknesses(strict, loose)}
    told = set(re.findall(r"`((?:policy|checks)\.[a-z_]+)(?::…)?`", sections(page("policy.md"))["What counts as a weakening"]))
    assert told == names


# --- checks, formats, environment, exit codes ------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_check_is_described_as_it_is(name: str) -> None:
    found = sections(page("checks.md"))
    module, _, function = BUILT_IN[name].partition(":")
    check = getattr(importlib.import_module(module), function)(CheckSettings(cache_dir="", installation_key=Secret(b"k" * 32)))
    text = found[name]
    assert f"| layer | {check.layer} |" in text
    assert f"| unit | {check.unit} |" in text
    assert f"| version | {check.version} |" in text
    assert "| unchecked when |" in text


def test_no_check_is_described_that_does_not_exist() -> None:
    headings = re.findall(r"^## `([a-z-]+)`$", page("checks.md"), re.MULTILINE)
    assert headings == list(BUILT_IN)


def test_every_kind_of_finding_is_named() -> None:
    for kind in Kind:
        assert f"`{kind}`" in page("checks.md")


def test_every_format_has_a_heading() -> None:
    assert re.findall(r"^## `([a-z-]+)`$", page("formats.md"), re.MULTILINE) == list(FORMATS)


def test_every_variable_of_the_source_is_listed_and_no_other() -> None:
    used = {name for file in (ROOT / "src").rglob("*.py") for name in re.findall(r"ASSAYMARK_[A-Z0-9_]*[A-Z]", file.read_text("utf-8"))}
    told = [set(re.findall(r"^\| `(ASSAYMARK_[A-Z0-9_]+)`", page(name), re.MULTILINE)) for name in ("environment.md", "server-settings.md")]
    assert told[0] | told[1] == used
    assert not told[0] & told[1]


def test_the_servers_settings_are_those_of_its_source() -> None:
    rows = re.findall(r"^\| `(ASSAYMARK_[A-Z0-9_]+)` \| (?:`--([a-z-]+)`)? *\| .* \| (.*) \|$", page("server-settings.md"), re.MULTILINE)
    source = re.findall(r"^\| ``(ASSAYMARK_[A-Z0-9_]+)`` \|", inspect.getdoc(settings) or "", re.MULTILINE)
    assert [name for name, _, _ in rows] == source
    fields = {"host": "listen", "port": "listen"}
    assert {fields.get(name, name) for name in settings.Settings.__struct_fields__} | {"database_file"} == {
        name.removeprefix("ASSAYMARK_").lower() for name, _, _ in rows
    }
    options = {option.opts[0].removeprefix("--") for option in serve.command.params}
    assert {option for _, option, _ in rows if option} <= options
    made = settings.load({"HOME": "/h"})
    for name, _, default in rows:
        value = getattr(made, name.removeprefix("ASSAYMARK_").lower(), None)
        if isinstance(value, int):
            assert default == str(value), name


def descendants(kind: type[errors.AssayError]) -> Iterator[type[errors.AssayError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from descendants(child)


def test_the_exit_codes_are_those_of_the_errors_and_verdicts() -> None:
    text = page("exit-codes.md")
    codes = {row[0]: row[1] for row in re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", text, re.MULTILINE)}
    known = {kind.code: str(kind.exit_code) for kind in descendants(errors.AssayError)}
    assert codes == known
    for outcome, code in EXIT.items():
        assert re.search(rf"^\| {code} \| {outcome} \|", text, re.MULTILINE)
    assert re.search(r"^\| 130 \| interrupted \|", text, re.MULTILINE)
