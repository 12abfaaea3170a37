"""Gitea's and Forgejo's API v1. Like GitHub's in shape; a page of comments is the whole list, and the credential has a word of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from assaymark.feedback.forges.ask import Ask, Said, Target
from assaymark.feedback.message import Status


class Gitea:
    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    def status(self, target: Target, status: Status) -> Ask:
        body = {"state": status.state.value, "target_url": status.url, "description": status.description, "context": status.context}
        return Ask("POST", f"/repos/{_path(target)}/statuses/{quote(target.commit, safe='')}", body)

    def comments(self, target: Target, page: int) -> Ask:
        # The list of one issue is not paged: a second page would be the first one again.
        return Ask(
            "GET", f"/repos/{_path(target)}/issues/{target.number}/comments", query={} if page == 1 else {"since": "9999-12-31T00:00:00Z"}
        )

    def said(self, answer: Any) -> Sequence[Said]:
        return [Said(str(each["id"]), each.get("body") or "", (each.get("user") or {}).get("login", "")) for each in answer]

    def create(self, target: Target, body: str) -> Ask:
        return Ask("POST", f"/repos/{_path(target)}/issues/{target.number}/comments", {"body": body})

    def update(self, target: Target, comment: str, body: str) -> Ask:
        return Ask("PATCH", f"/repos/{_path(target)}/issues/comments/{quote(comment, safe='')}", {"body": body})

    def created(self, answer: Any) -> str:
        return str(answer["id"])


def _path(target: Target) -> str:
    return quote(target.repository, safe="/")
