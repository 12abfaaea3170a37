"""GitHub, GitLab, Gitea/Forgejo and Bitbucket (Cloud and Data Center): where their lists are and what they look like."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from assaymark.model.trigger import RemoteRepository
from assaymark.triggers.discovery.walk import Answer, Found, Listing, decoded, linked


class _Hub(Struct, frozen=True):
    """GitHub's and Gitea's; of the addresses only the page's is promised."""

    id: int
    full_name: str
    clone_url: str = ""
    html_url: str = ""
    default_branch: str | None = ""
    archived: bool = False
    fork: bool = False
    empty: bool = False

    def found(self) -> Found:
        clone_url = self.clone_url or (self.html_url and f"{self.html_url}.git")
        remote = RemoteRepository(self.full_name, clone_url, self.html_url, str(self.id), self.default_branch or "")
        return Found(remote, self.archived, self.fork, self.empty)


class GitHub:
    """https://docs.github.com/en/rest/repos/repos"""

    def starts(self, api: str, group: str) -> tuple[str, ...]:
        name = quote(group, safe="")
        return f"{api}/orgs/{name}/repos?per_page=100", f"{api}/users/{name}/repos?per_page=100"

    def headers(self, token: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}

    def read(self, _url: str, answer: Answer) -> tuple[list[Found], str]:
        return [each.found() for each in decoded(answer, list[_Hub])], linked(answer)


class Gitea:
    """https://docs.gitea.com/api"""

    def starts(self, api: str, group: str) -> tuple[str, ...]:
        name = quote(group, safe="")
        return f"{api}/orgs/{name}/repos?limit=50", f"{api}/users/{name}/repos?limit=50"

    def headers(self, token: str) -> Mapping[str, str]:
        return {"authorization": f"token {token}"}

    def read(self, _url: str, answer: Answer) -> tuple[list[Found], str]:
        return [each.found() for each in decoded(answer, list[_Hub])], linked(answer)


class _Lab(Struct, frozen=True):
    id: int
    path_with_namespace: str
    http_url_to_repo: str
    web_url: str = ""
    default_branch: str | None = ""
    archived: bool = False
    empty_repo: bool = False
    forked_from_project: object = None


class GitLab:
    """https://docs.gitlab.com/api/groups/"""

    def starts(self, api: str, group: str) -> tuple[str, ...]:
        name = quote(group, safe="")
        query = "per_page=100&order_by=id&sort=asc&simple=false"
        # What another group shares with this one belongs to the other.
        return f"{api}/groups/{name}/projects?include_subgroups=true&with_shared=false&{query}", f"{api}/users/{name}/projects?{query}"

    def headers(self, token: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {token}"}

    def read(self, _url: str, answer: Answer) -> tuple[list[Found], str]:
        found = []
        for each in decoded(answer, list[_Lab]):
            remote = RemoteRepository(
                each.path_with_namespace, each.http_url_to_repo, each.web_url, str(each.id), each.default_branch or ""
            )
            found.append(Found(remote, each.archived, each.forked_from_project is not None, each.empty_repo))
        return found, linked(answer)


class _Link(Struct, frozen=True):
    href: str = ""
    name: str = ""


class _Links(Struct, frozen=True):
    clone: tuple[_Link, ...] = ()
    html: _Link = _Link()
    self: tuple[_Link, ...] | _Link = ()


class _Branch(Struct, frozen=True):
    name: str = ""


class _Cloud(Struct, frozen=True):
    uuid: str
    full_name: str
    links: _Links
    mainbranch: _Branch | None = None
    parent: object = None


class _CloudPage(Struct, frozen=True):
    values: tuple[_Cloud, ...]
    next: str = ""


class _Project(Struct, frozen=True):
    key: str


class _Server(Struct, frozen=True):
    id: int
    slug: str
    project: _Project
    links: _Links
    archived: bool = False
    origin: object = None


class _ServerPage(Struct, frozen=True, rename="camel"):
    values: tuple[_Server, ...]
    is_last_page: bool = True
    next_page_start: int | None = None


class Bitbucket:
    """https://developer.atlassian.com/cloud/bitbucket/rest/ and Data Center's own, told apart by the address of the API."""

    def starts(self, api: str, group: str) -> tuple[str, ...]:
        name = quote(group, safe="~")
        return (f"{api}/projects/{name}/repos?limit=100",) if _is_own(api) else (f"{api}/repositories/{name}?pagelen=100",)

    def headers(self, token: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {token}"}

    def read(self, url: str, answer: Answer) -> tuple[list[Found], str]:
        return _of_server(url, answer) if _is_own(url) else _of_cloud(answer)


def _is_own(url: str) -> bool:
    return "/rest/api/" in f"{url}/"


def _clone_url(links: _Links) -> str:
    found = next((link.href for link in links.clone if link.name in ("https", "http")), "")
    parts = urlsplit(found)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))  # Bitbucket puts the caller's name before the host


def _of_cloud(answer: Answer) -> tuple[list[Found], str]:
    page: _CloudPage = decoded(answer, _CloudPage)
    found = []
    for each in page.values:
        main = each.mainbranch.name if each.mainbranch else ""
        remote = RemoteRepository(each.full_name, _clone_url(each.links), each.links.html.href, each.uuid, main)
        found.append(Found(remote, fork=each.parent is not None, empty=each.mainbranch is None))
    return found, page.next


def _of_server(url: str, answer: Answer) -> tuple[list[Found], str]:
    page: _ServerPage = decoded(answer, _ServerPage)
    found = []
    for each in page.values:
        web = each.links.self[0].href.removesuffix("/browse") if isinstance(each.links.self, tuple) and each.links.self else ""
        remote = RemoteRepository(f"{each.project.key}/{each.slug}", _clone_url(each.links), web, str(each.id))
        found.append(Found(remote, each.archived, each.origin is not None))
    if page.is_last_page or page.next_page_start is None:
        return found, ""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()} | {"start": str(page.next_page_start)}
    return found, urlunsplit(parts._replace(query=urlencode(query)))


LISTINGS: Mapping[str, Listing] = {"github": GitHub(), "gitlab": GitLab(), "gitea": Gitea(), "bitbucket": Bitbucket()}
