"""Bring an issue up with its item: made once, changed when it says something else, closed and opened again.

Guarantees: an issue whose number was not kept is looked for by its marker before another one is made, so that a kill at any point leaves
one issue; one that was deleted there is made again while its item is open; a person who closes an issue of an item that stands open is not
contradicted until the item itself closes and opens. The client is the caller's: it decides which addresses may be reached.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from assaymark.feedback.forges.ask import Ask
from assaymark.feedback.forges.send import Client, NotUnderstood, Refused
from assaymark.feedback.issues.forges import GiteaIssues, GitHubIssues, GitLabIssues
from assaymark.feedback.issues.jira import Jira
from assaymark.feedback.issues.text import Text
from assaymark.feedback.issues.tracker import Filed, Home, Tracker

KINDS = ("github", "gitlab", "gitea", "jira")
"""Kinds of connections in which issues can be made."""
_GONE = (404, 410)


class Place(Struct, frozen=True):
    """Whom to ask, as whom."""

    kind: str
    api_url: str
    token: str
    home: Home

    def __repr__(self) -> str:
        return f"Place({self.kind}, {self.api_url}, {self.home})"

    @property
    def tracker(self) -> Tracker:
        known: dict[str, Tracker] = {"github": GitHubIssues(), "gitlab": GitLabIssues(), "gitea": GiteaIssues()}
        return known.get(self.kind) or Jira(cloud=self.api_url.endswith("/3"))


class Kept(Struct, frozen=True):
    """What is known of an issue."""

    number: str = ""
    url: str = ""
    is_open: bool = False
    """As we set it last."""
    since: str = ""
    """When we first tried to make it (ISO 8601, UTC), less what clocks may differ; empty when we never did."""


def bring_up(client: Client, place: Place, text: Text, kept: Kept) -> Filed | None:
    """Let the tracker say what the text says; None when there is nothing to say there.

    Raises:
        Refused: when the tracker does not take it.
        NotUnderstood: when its answer is none; the next attempt looks for what was made perhaps.
        UsageError: when its workflow has no way to the state that is wanted.
    """
    tracker = place.tracker
    send = _Sender(client, place)
    number, is_open, url = kept.number, kept.is_open, kept.url
    try:
        if not number and kept.since:
            found = tracker.find(send, place.home, text.marker, kept.since)
            number, is_open, url = (found.number, True, found.url) if found is not None else ("", False, "")
        if number:
            try:
                tracker.change(send, place.home, number, text, turns=text.is_open != is_open)
            except Refused as refused:
                if refused.status not in _GONE:
                    raise
            else:
                return Filed(number, url)
        return _with_page(place, tracker.make(send, place.home, text)) if text.is_open else None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(place.api_url) from error


def _with_page(place: Place, filed: Filed) -> Filed:
    """Jira does not say where people find it."""
    if place.kind != "jira" or filed.url:
        return filed
    return Filed(filed.number, f"{place.api_url.partition('/rest/api/')[0]}/browse/{filed.number}")


class _Sender:
    def __init__(self, client: Client, place: Place) -> None:
        self._client, self._place = client, place
        self._headers = place.tracker.headers(place.token, place.home)

    def __call__(self, ask: Ask) -> Any:
        url = self._place.api_url + ask.path
        answer = self._client.request(ask.method, url, json=ask.body, params=dict(ask.query) or None, headers=self._headers)
        if answer.status_code >= 300:
            raise Refused(answer.status_code, ask)
        return None if answer.status_code == 204 or ask.method == "PUT" else answer.json()
