"""GitHub's REST API, version 2022-11-28: commit statuses and issue comments (a pull request is an issue)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from assaymark.feedback.forges.ask import Ask, Said, Target
from assaymark.feedback.message import Status, StatusState


class GitHub:
    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    def status(self, target: Target, status: Status) -> Ask:
        state = StatusState.ERROR if status.state is StatusState.CANCELLED else status.state  # it has no word for that
        body = {"state": state.value, "target_url": status.url, "description": status.description, "context": status.context}
        return Ask("POST", f"/repos/{_path(target)}/statuses/{quote(target.commit, safe='')}", body)

    def comments(self, target: Target, page: int) -> Ask:
        return Ask("GET", issue_comments(target), query={"per_page": "100", "page": str(page)})

    def said(self, answer: Any) -> Sequence[Said]:
        return [Said(str(each["id"]), each.get("body") or "", (each.get("user") or {}).get("login", "")) for each in answer]

    def create(self, target: Target, body: str) -> Ask:
        return Ask("POST", issue_comments(target), {"body": body})

    def update(self, target: Target, comment: str, body: str) -> Ask:
        return Ask("PATCH", f"/repos/{_path(target)}/issues/comments/{quote(comment, safe='')}", {"body": body})

    def created(self, answer: Any) -> str:
        return str(answer["id"])


def issue_comments(target: Target) -> str:
    """Path of the comments of a pull request, which are those of its issue."""
    return f"/repos/{_path(target)}/issues/{target.number}/comments"


def _path(target: Target) -> str:
    return quote(target.repository, safe="/")
