from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from assaymark.cli.person import command
from assaymark.errors import UsageError
from assaymark.jobs.job import clock
from assaymark.model.access import Grant, Role
from assaymark.server.service import Service
from assaymark.store import teams

WORDS = "a few words unheard"


def run(world: World, *words: str) -> str:
    """The command over the database of this server, at the present time."""
    settings = world.service.settings
    options = ["--data", str(settings.data), "--database", settings.database, "--url", settings.url]
    result = CliRunner().invoke(command, [*words, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.fixture
def here(world: World) -> World:
    world.at = clock()
    return world


def test_somebody_invited_on_the_machine_comes_in_by_the_link(here: World) -> None:
    link = run(here, "invite", "Bob", "--role", "developer", "--name", "Bob B.")
    visitor = here.visitor()
    here.later(10)
    assert link.startswith(here.service.settings.url + "/link/")
    secret = link.rpartition("/")[2]
    assert visitor.post("/api/v1/links/redeem", json={"secret": secret, "password": WORDS}).status_code == 201
    assert visitor.get("/api/v1/me").json()["roles"] == [["developer", None]]
    assert here.trail("actor")[0][0].startswith("machine:")


def test_accounts_are_listed_closed_opened_and_reset(here: World) -> None:
    with here.service.database.write() as connection:
        core = teams.add(connection, "core", "Core", at=here.service.now())
    here.person("root", Grant(Role.ADMIN))
    here.person("ada", Grant(Role.VIEWER, core))
    browser = here.signed_in("ada")
    assert [line.split()[:2] + line.split()[3:] for line in run(here, "list").splitlines()] == [
        ["ada", "open", "viewer@core"],
        ["root", "open", "admin@*"],
    ]
    assert run(here, "disable", "ada") == "ada is closed"
    assert run(here, "disable", "ada") == "ada is closed, as before"
    assert browser.get("/api/v1/me").status_code == 401
    with pytest.raises(UsageError, match="closed"):
        run(here, "reset", "ada")
    assert run(here, "enable", "ada") == "ada is open"
    here.later(10)
    secret = run(here, "reset", "ada").rpartition("/")[2]
    here.later(10)
    assert here.visitor().post("/api/v1/links/redeem", json={"secret": secret, "password": WORDS}).status_code == 201
    assert run(here, "give", "ada", "auditor", "--team", "core") == "ada holds auditor in core"


def test_the_last_administrator_is_not_closed_on_the_machine_either(here: World) -> None:
    here.person("root", Grant(Role.ADMIN))
    with pytest.raises(UsageError, match="administrator"):
        run(here, "disable", "root")
    here.signed_in("root")


@pytest.mark.parametrize("words", [("reset", "nobody"), ("invite", "a b"), ("give", "root", "viewer", "--team", "none")])
def test_what_is_not_there_is_said(here: World, words: tuple[str, ...]) -> None:
    here.person("root", Grant(Role.ADMIN))
    with pytest.raises(UsageError):
        run(here, *words)


def test_an_account_stands_once(here: World, service: Service) -> None:
    run(here, "invite", "bob")
    with pytest.raises(UsageError, match="taken"):
        run(here, "invite", "BOB")
