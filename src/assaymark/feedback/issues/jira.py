"""Issues of Jira: Cloud (REST API v3, an e-mail address and its token) and Data Center (REST API v2, a personal access token).

An issue is found again by a label that is its own. It is closed by a transition into a status of the category "done", and opened again by
one out of it, whatever the workflow calls them; a resolution is given where the transition's screen requires one. A workflow without such a
transition is said as an error, and the issue stays as it is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from assaymark.errors import UsageError
from assaymark.feedback.forges.ask import Ask
from assaymark.feedback.issues.text import Text, plain_lines
from assaymark.feedback.issues.tracker import Filed, Home, Send

LABEL = "assaymark"
_DONE = "done"
_WIKI = re.compile(r"([\\{}\[\]*_+^~?!|#-])")


class Jira:
    """Of one of its two kinds."""

    def __init__(self, *, cloud: bool) -> None:
        self._cloud = cloud

    def headers(self, token: str, home: Home) -> dict[str, str]:
        if home.username:
            pair = base64.b64encode(f"{home.username}:{token}".encode()).decode()
            return {"Authorization": f"Basic {pair}", "Accept": "application/json"}
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def find(self, send: Send, home: Home, marker: str, since: str) -> Filed | None:
        """By its label alone, which no other issue has."""
        del since
        asked = {"jql": f'project = "{_quoted(home.project)}" AND labels = "{_quoted(marker)}" ORDER BY created', "maxResults": 1}
        answer = send(Ask("POST", "/search/jql" if self._cloud else "/search", asked | {"fields": ["summary"]}))
        return next((self._filed(row) for row in answer["issues"]), None)

    def make(self, send: Send, home: Home, text: Text) -> Filed:
        fields = {
            "project": {"key": home.project},
            "issuetype": {"name": home.issue_type},
            "summary": text.summary,
            "description": self._rendered(text),
            "labels": [LABEL, text.marker],
        }
        return self._filed(send(Ask("POST", "/issue", {"fields": fields})))

    def change(self, send: Send, home: Home, number: str, text: Text, *, turns: bool) -> None:
        del home
        path = f"/issue/{quote(number, safe='')}"
        if turns and self._turn(send, path, is_open=text.is_open):
            send(Ask("POST", f"{path}/comment", {"body": self._said(text.sentences)}))
        send(Ask("PUT", path, {"fields": {"summary": text.summary, "description": self._rendered(text)}}))

    def _turn(self, send: Send, path: str, *, is_open: bool) -> bool:
        """Into the other category of statuses; False when it is there already, by a person or by an attempt that was killed."""
        status = send(Ask("GET", path, query={"fields": "status"}))["fields"]["status"]
        if (_category(status) != _DONE) == is_open:
            return False
        ways = send(Ask("GET", f"{path}/transitions", query={"expand": "transitions.fields"}))["transitions"]
        fitting = [way for way in ways if (_category(way["to"]) != _DONE) == is_open and way.get("isAvailable", True)]
        if not fitting:
            word = "out of" if is_open else "into"
            raise UsageError(
                f"Jira's workflow has no transition {word} a status of the category done",
                why=f"from {str(status.get('name', 'the present status'))[:100]!r} there are {len(ways)} others",
                advice="give the workflow one that the token's account may use, or turn the issue by hand",
            )
        chosen = min(fitting, key=lambda way: (_category(way["to"]) != "new", ways.index(way)))
        body: dict[str, Any] = {"transition": {"id": str(chosen["id"])}}
        body |= {"fields": needed} if (needed := _needed(chosen)) else {}
        send(Ask("POST", f"{path}/transitions", body))
        return True

    def _filed(self, row: Any) -> Filed:
        return Filed(str(row["key"]))

    def _rendered(self, text: Text) -> Any:
        lines = [*text.sentences]
        lines += [f"Owner: {text.owner}"] if text.owner and text.is_open else []
        lines += [f"Do this: {text.advice}"] if text.advice and text.is_open else []
        places = plain_lines(text)
        if self._cloud:
            blocks = [*_paragraphs(lines), *_list(places), _linked("The item with all that stands in it", text.url)]
            return {"type": "doc", "version": 1, "content": blocks}
        rows = [_escaped(line) for line in lines] + ["\n".join(f"* {_escaped(line)}" for line in places)]
        return "\n\n".join([*filter(None, rows), f"[The item with all that stands in it|{text.url}]"])

    def _said(self, lines: Sequence[str]) -> Any:
        return (
            {"type": "doc", "version": 1, "content": _paragraphs(lines)} if self._cloud else "\n\n".join(_escaped(line) for line in lines)
        )


def _category(status: Any) -> str:
    return str(status["statusCategory"]["key"])


def _needed(transition: Any) -> dict[str, Any]:
    """What its screen requires, where we can say it: the first resolution that is offered."""
    resolution = (transition.get("fields") or {}).get("resolution") or {}
    offered = resolution.get("allowedValues") or []
    if not resolution.get("required") or not offered:
        return {}
    return {"resolution": {"id": str(offered[0]["id"])}}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _paragraphs(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in lines if line]


def _list(lines: Sequence[str]) -> list[dict[str, Any]]:
    items = [{"type": "listItem", "content": [each]} for each in _paragraphs(lines)]
    return [{"type": "bulletList", "content": items}] if items else []


def _linked(words: str, url: str) -> dict[str, Any]:
    mark = {"type": "link", "attrs": {"href": url}}
    return {"type": "paragraph", "content": [{"type": "text", "text": words, "marks": [mark]}]}


def _escaped(line: str) -> str:
    """Content as running text of Jira's wiki language: without markup, mention or link."""
    return _WIKI.sub(r"\\\1", line).replace("@", "@\u200b").replace("://", ":\u200b//")
