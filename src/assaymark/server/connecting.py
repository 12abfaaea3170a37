"""What a connection may say of itself: kinds, addresses, options. Pure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from assaymark.feedback.issues.send import KINDS as ISSUE_KINDS
from assaymark.model.severity import Severity
from assaymark.server.github_app import checked_key
from assaymark.server.outgoing import WEB, parse
from assaymark.server.problem import invalid
from assaymark.store.connections import KINDS

_WEB = {"github": "https://github.com", "gitlab": "https://gitlab.com", "bitbucket": "https://bitbucket.org"}
_API = {"https://github.com": "https://api.github.com", "https://bitbucket.org": "https://api.bitbucket.org/2.0"}
_BELOW = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1", "bitbucket": "/rest/api/1.0", "jira": "/rest/api/2"}
_JIRA_CLOUD = ".atlassian.net"

_Name = Annotated[str, Meta(min_length=1, max_length=300)]


class Issues(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which items become issues: at a forge in the repository where they were found, in Jira in one project."""

    severity: Severity = Severity.HIGH
    """This one and worse ones."""
    teams: Annotated[tuple[int, ...], Meta(max_length=100)] = ()
    """Only items of these teams; without any, of all."""
    project: Annotated[str, Meta(max_length=100)] = ""
    """Key of Jira's project."""
    issue_type: Annotated[str, Meta(min_length=1, max_length=100)] = "Task"
    """Of Jira."""


class Options(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What only some kinds need."""

    groups: Annotated[tuple[_Name, ...], Meta(max_length=100)] = ()
    """Organisations, groups, workspaces or projects whose repositories are registered by themselves."""
    forks: bool = False
    """Forks in those groups as well."""
    hosts: Annotated[tuple[_Name, ...], Meta(max_length=20)] = ()
    """Further hosts that its deliveries may name, e.g. of its registry."""
    username: Annotated[str, Meta(max_length=100)] = ""
    """Beside the token, for git servers that ask for one."""
    app_id: Annotated[str, Meta(max_length=100)] = ""
    """Of a GitHub App, whose private key is then entered as the token: check runs with buttons take the place of statuses."""
    installation_id: Annotated[int, Meta(ge=0)] = 0
    """Where the App is installed: the number at the end of the installation's address."""
    known_hosts: Annotated[str, Meta(max_length=20_000)] = ""
    """For ssh: lines as in a known_hosts file."""
    issues: Issues | None = None
    """Left out: no item becomes an issue."""
    attach: bool = False
    """Of registries: what is endorsed is attached to its image there; the token must be allowed to push."""
    attest: bool = False
    """With `attach`: also in cosign's older form, under the tag ``sha256-….att``."""


class Homes(Struct, frozen=True):
    """Where a forge is."""

    web: str
    api: str

    @property
    def origins(self) -> tuple[tuple[str, str, int | None], ...]:
        """To whom a token could be told."""
        parts = (urlsplit(self.web), urlsplit(self.api))
        return tuple((each.scheme, (each.hostname or "").lower(), each.port) for each in parts)


def homes_of(kind: str, web_url: str, api_url: str) -> Homes:
    """Both addresses; the API's is made from the pages' where it is left out.

    Raises:
        ApiError: 400 for a kind that does not exist or a forge without an address.
        UsageError: for what is no address.
    """
    if kind not in KINDS:
        raise invalid(f"kind is one of {', '.join(KINDS)}")
    web = (web_url or _WEB.get(kind, "")).rstrip("/")
    if not web and kind in ("gitea", "registry", "jira"):
        raise invalid(f"a connection of kind {kind} needs web_url", "write it as https://git.example.org")
    api = (api_url or _API.get(web, "") or _made(kind, web)).rstrip("/")
    for url in (web, api):
        if url:
            parse(url, WEB)
            if urlsplit(url).query:
                raise invalid(f"{url[:200]} has a query", "write it as https://git.example.org")
    return Homes(web, api)


def _made(kind: str, web: str) -> str:
    if kind == "jira" and (urlsplit(web).hostname or "").lower().endswith(_JIRA_CLOUD):
        return f"{web}/rest/api/3"
    return f"{web}{_BELOW[kind]}" if web and kind in _BELOW else ""


def checked_options(kind: str, options: Options) -> Options:
    """What fits the kind.

    Raises:
        ApiError: 400 when an issue could not be made anywhere.
    """
    if options.issues is not None and kind not in ISSUE_KINDS:
        raise invalid(f"in a connection of kind {kind} no issues are made", f"issues are for {', '.join(ISSUE_KINDS)}")
    if options.attach and kind != "registry":
        raise invalid(f"in a connection of kind {kind} there are no images", "options.attach is for registry")
    if options.attest and not options.attach:
        raise invalid("options.attest needs options.attach", "give both, or neither")
    if kind == "jira" and options.issues is not None and not options.issues.project:
        raise invalid("options.issues.project is missing", "give the key of the project in which issues are to be made, e.g. SEC")
    return options


def check_app(kind: str, options: Options, token: str | None) -> None:
    """An App is whole: of GitHub, with its installation and its key (None: the one that is there already).

    Raises:
        ApiError: 400 when it is not.
        UsageError: when the token is no key of an App.
    """
    if not options.app_id and not options.installation_id:
        return
    if kind != "github":
        raise invalid(f"a connection of kind {kind} has no App", "leave out options.app_id and options.installation_id")
    if not options.app_id or not options.installation_id:
        raise invalid("an App needs both options.app_id and options.installation_id")
    if token is not None:
        checked_key(token)


def checked_name(text: str) -> str:
    """A name that people can tell from others.

    Raises:
        ApiError: 400 when it is none.
    """
    name = " ".join(text.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise invalid("name has 1 to 100 printable characters")
    return name
