"""Issues of GitHub (REST API 2022-11-28), GitLab (REST API v4) and Gitea or Forgejo (API v1).

An issue is found again by the hidden first line of its text, in the list of what changed since we first tried: lists are complete, where
searches lag behind. At GitLab issues are made confidential, which the other two do not know.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from assaymark.feedback.forges import gitea, github, gitlab
from assaymark.feedback.forges.ask import Ask
from assaymark.feedback.issues.text import Text, hidden, in_markdown
from assaymark.feedback.issues.tracker import MOST_PAGES, PAGE, Filed, Home, Send

LABEL = "assaymark"


class GitHubIssues:
    def headers(self, token: str, home: Home) -> dict[str, str]:
        del home
        return github.GitHub().headers(token)

    def find(self, send: Send, home: Home, marker: str, since: str) -> Filed | None:
        for page in range(1, MOST_PAGES + 1):
            rows = send(Ask("GET", _issues(home), query=self._listed(page, since)))
            for row in rows:
                if str(row.get("body") or "").startswith(hidden(marker)):
                    return self._filed(row)
            if len(rows) < PAGE:
                break
        return None

    def make(self, send: Send, home: Home, text: Text) -> Filed:
        return self._filed(send(Ask("POST", _issues(home), self._first(text))))

    def change(self, send: Send, home: Home, number: str, text: Text, *, turns: bool) -> None:
        body: dict[str, Any] = {"title": text.summary, "body": in_markdown(text, mentions=True)}
        body |= self._state(is_open=text.is_open) if turns else {}
        send(Ask("PATCH", f"{_issues(home)}/{quote(number, safe='')}", body))

    def _first(self, text: Text) -> dict[str, Any]:
        return {"title": text.summary, "body": in_markdown(text, mentions=True), "labels": [LABEL]}

    def _state(self, *, is_open: bool) -> dict[str, Any]:
        return {"state": "open", "state_reason": "reopened"} if is_open else {"state": "closed", "state_reason": "completed"}

    def _listed(self, page: int, since: str) -> dict[str, str]:
        sizes = {"per_page": str(PAGE), "page": str(page)}
        return {"state": "all", "since": since, "sort": "created", "direction": "desc"} | sizes

    def _filed(self, row: Any) -> Filed:
        return Filed(str(row["number"]), str(row.get("html_url") or ""))


class GiteaIssues(GitHubIssues):
    """GitHub's requests with words of its own: labels are known by numbers there, so none is given."""

    def headers(self, token: str, home: Home) -> dict[str, str]:
        del home
        return gitea.Gitea().headers(token)

    def _first(self, text: Text) -> dict[str, Any]:
        return {"title": text.summary, "body": in_markdown(text, mentions=True)}

    def _state(self, *, is_open: bool) -> dict[str, Any]:
        return {"state": "open" if is_open else "closed"}

    def _listed(self, page: int, since: str) -> dict[str, str]:
        return {"state": "all", "type": "issues", "since": since, "limit": str(PAGE), "page": str(page)}

    def find(self, send: Send, home: Home, marker: str, since: str) -> Filed | None:
        """Its pages may be smaller than what is asked for, so that only an empty one ends the list."""
        for page in range(1, MOST_PAGES + 1):
            rows = send(Ask("GET", _issues(home), query=self._listed(page, since)))
            for row in rows:
                if str(row.get("body") or "").startswith(hidden(marker)):
                    return self._filed(row)
            if not rows:
                break
        return None


class GitLabIssues:
    def headers(self, token: str, home: Home) -> dict[str, str]:
        del home
        return gitlab.GitLab().headers(token)

    def find(self, send: Send, home: Home, marker: str, since: str) -> Filed | None:
        for page in range(1, MOST_PAGES + 1):
            query = {"state": "all", "scope": "all", "created_after": since, "per_page": str(PAGE), "page": str(page)}
            rows = send(Ask("GET", _project(home), query=query))
            for row in rows:
                if str(row.get("description") or "").startswith(hidden(marker)):
                    return _gitlab_filed(row)
            if len(rows) < PAGE:
                break
        return None

    def make(self, send: Send, home: Home, text: Text) -> Filed:
        body = {"title": text.summary, "description": in_markdown(text, mentions=True), "labels": LABEL, "confidential": True}
        return _gitlab_filed(send(Ask("POST", _project(home), body)))

    def change(self, send: Send, home: Home, number: str, text: Text, *, turns: bool) -> None:
        body: dict[str, Any] = {"title": text.summary, "description": in_markdown(text, mentions=True)}
        body |= {"state_event": "reopen" if text.is_open else "close"} if turns else {}
        send(Ask("PUT", f"{_project(home)}/{quote(number, safe='')}", body))


def _gitlab_filed(row: Any) -> Filed:
    return Filed(str(row["iid"]), str(row.get("web_url") or ""))


def _issues(home: Home) -> str:
    return f"/repos/{quote(home.repository, safe='/')}/issues"


def _project(home: Home) -> str:
    return f"/projects/{quote(home.forge_id or home.repository, safe='')}/issues"
