"""From page to page of a forge's list.

Guarantees: at most `MOST_PAGES` pages of one list; each page is on the forge's own origin, whatever the page before says; a list that ends
early for whatever reason raises, so that nobody takes half of it for the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.trigger import RemoteRepository

MOST_PAGES = 500
MOST_NAME = 300


class Answer(Struct, frozen=True):
    """What a forge said."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


Ask = Callable[[str, Mapping[str, str]], Answer]
"""GET of an address with headers; follows no redirect."""


class Found(Struct, frozen=True):
    """A repository in a list."""

    remote: RemoteRepository
    archived: bool = False
    fork: bool = False
    empty: bool = False


class Listing(Protocol):
    """How one kind of forge lists."""

    def starts(self, api: str, group: str) -> tuple[str, ...]:
        """Addresses of first pages, of which the first that is there counts."""
        ...

    def headers(self, token: str) -> Mapping[str, str]: ...

    def read(self, url: str, answer: Answer) -> tuple[list[Found], str]:
        """What is on a page, and the address of the next one, empty at the end."""
        ...


def walk(listing: Listing, api: str, group: str, *, token: str, ask: Ask) -> Iterator[Found]:
    """Everything in a group.

    Raises:
        SubjectUnreadable: when it cannot be listed to its end.
    """
    headers = {"accept": "application/json", **(listing.headers(token) if token else {})}
    url, answer = _first(listing.starts(api.rstrip("/"), group), headers, ask, group)
    for _ in range(MOST_PAGES):
        try:
            found, following = listing.read(url, answer)
        except UNDECODABLE as error:
            raise SubjectUnreadable(f"the list of {group[:MOST_NAME]} cannot be read", why=str(error)[:300]) from error
        yield from found
        if not following:
            return
        if urlsplit(following)[:2] != urlsplit(api)[:2]:
            raise SubjectUnreadable(f"the list of {group[:MOST_NAME]} goes on elsewhere", why=f"at {following[:200]!r}")
        url, answer = following, ask(following, headers)
        _need(answer, group)
    raise SubjectUnreadable(f"{group[:MOST_NAME]} has more than {MOST_PAGES} pages of repositories", advice="connect smaller groups")


def _first(starts: tuple[str, ...], headers: Mapping[str, str], ask: Ask, group: str) -> tuple[str, Answer]:
    url, answer = starts[0], ask(starts[0], headers)
    for other in starts[1:]:
        if answer.status != 404:
            break
        url, answer = other, ask(other, headers)
    _need(answer, group)
    return url, answer


def _need(answer: Answer, group: str) -> None:
    if answer.status == 200:
        return
    advice = {401: "enter a token that is valid", 403: "let the token read the group's repositories", 404: "check the group's name"}
    raise SubjectUnreadable(
        f"the forge does not list {group[:MOST_NAME]}", why=f"it answered {answer.status}", advice=advice.get(answer.status, "try later")
    )


def linked(answer: Answer) -> str:
    """The address of the next page in a ``Link`` header (RFC 8288), as far as forges use it."""
    for part in answer.headers.get("link", "")[:8000].split(","):
        target, _, parameters = part.partition(";")
        if 'rel="next"' in parameters or "rel=next" in parameters:
            return target.strip().removeprefix("<").removesuffix(">")
    return ""


def decoded(answer: Answer, kind: Any) -> Any:
    """A page's document."""
    return msgspec.json.decode(answer.body, type=kind)
