"""Say it: the status, and one comment that is found again and updated.

Guarantees: the comment that is updated is the one that we made: by its number, which the caller remembers, or after a crash by a marker
that nobody can have known before; what a forge refuses becomes an error that says whether trying again can help.
The client is the caller's: it decides which addresses may be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from assaymark.errors import AssayError
from assaymark.feedback.forges.ask import Ask, Forge, Target
from assaymark.feedback.forges.bitbucket import Bitbucket
from assaymark.feedback.forges.gitea import Gitea
from assaymark.feedback.forges.github import GitHub
from assaymark.feedback.forges.gitlab import GitLab
from assaymark.feedback.message import Comment, Status

FORGES: dict[str, Forge] = {"github": GitHub(), "gitlab": GitLab(), "gitea": Gitea(), "bitbucket": Bitbucket()}
_T = TypeVar("_T")
_OWN_BITBUCKET = "/rest/api/"
"""In the API's address of Bitbucket Data Center, whose requests are others than the cloud's."""
_GONE = (404, 410)
_MOST_PAGES, _PAGE = 20, 100


def is_spoken(kind: str, api_url: str) -> bool:
    """Whether something can be said there."""
    return kind in FORGES and not (kind == "bitbucket" and _OWN_BITBUCKET in f"{api_url}/")


class Refused(AssayError):  # noqa: N818 - says what happened, like the other errors
    """A forge did not take what was said."""

    code = "forge-refused"
    exit_code = 3

    def __init__(self, status: int, ask: Ask) -> None:
        super().__init__(f"the forge answered {status} to {ask.method} {ask.path}", advice=_ADVICE.get(status, "see the forge's log"))
        self.status = status

    @property
    def may_pass(self) -> bool:
        """Whether another attempt can succeed without anybody's doing."""
        return self.status in (408, 409, 425, 429) or self.status >= 500


class NotUnderstood(AssayError):  # noqa: N818 - says what happened, like the other errors
    """What answered is not the forge's API, or speaks another version of it."""

    code = "forge-not-understood"
    exit_code = 3

    def __init__(self, place: str) -> None:
        super().__init__(f"the answer of {place} cannot be read", advice="look at the connection's api_url, and for a proxy in between")


_ADVICE = {
    401: "enter a token that is valid",
    403: "give the token the right to set statuses and to comment",
    404: "check that the token may see the repository",
    422: "the commit or the merge request is no more",
}


class Answer(Protocol):
    status_code: int

    def json(self) -> Any: ...


class Client(Protocol):
    """What is needed of an HTTP client."""

    def request(self, method: str, url: str, *, json: Any = None, params: Any = None, headers: Any = None) -> Answer: ...


class Place(Struct, frozen=True):
    """Whom to ask, as whom."""

    kind: str
    api_url: str
    token: str
    target: Target

    def __repr__(self) -> str:
        return f"Place({self.kind}, {self.api_url}, {self.target})"


def set_status(client: Client, place: Place, status: Status) -> None:
    """Mark the commit.

    Raises:
        Refused: when the forge does not take it.
    """
    _send(client, place, FORGES[place.kind].status(place.target, status))


def tell_run(client: Client, place: Place, ask: Ask) -> str:
    """Make a request of `check_runs`; gives the number of the run that it made or changed.

    Raises:
        Refused: when the forge does not take it.
        NotUnderstood: when it does not say as what.
    """
    return _read(place, lambda answer: str(answer["id"]), _send(client, place, ask))


def say(client: Client, place: Place, comment: Comment, earlier: str, *, search: bool = False) -> str:
    """Update the comment with this number, or write one; gives its number.

    With `search` it looks first whether an attempt that was killed has written it already.

    Raises:
        Refused: when the forge does not take it.
        NotUnderstood: when it took it perhaps, and does not say as what; the next attempt has to search.
    """
    forge = FORGES[place.kind]
    earlier = earlier or (_find(client, place, comment.marker) if search else "")
    if earlier:
        try:
            _send(client, place, forge.update(place.target, earlier, comment.body))
        except Refused as refused:
            if refused.status not in _GONE:
                raise
        else:
            return earlier
    return _read(place, forge.created, _send(client, place, forge.create(place.target, comment.body)))


def _find(client: Client, place: Place, marker: str) -> str:
    forge = FORGES[place.kind]
    for page in range(1, _MOST_PAGES + 1):
        found = _read(place, forge.said, _send(client, place, forge.comments(place.target, page)))
        for each in found:
            if each.body.startswith(marker):
                return each.id
        if len(found) < _PAGE:
            break
    return ""


def _send(client: Client, place: Place, ask: Ask) -> Answer:
    answer = client.request(
        ask.method, place.api_url + ask.path, json=ask.body, params=dict(ask.query) or None, headers=FORGES[place.kind].headers(place.token)
    )
    if answer.status_code >= 300:
        raise Refused(answer.status_code, ask)
    return answer


def _read(place: Place, reader: Callable[[Any], _T], answer: Answer) -> _T:
    try:
        return reader(answer.json())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(place.api_url) from error
