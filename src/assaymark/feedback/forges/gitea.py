"""Gitea's and Forgejo's API v1: GitHub's requests, with a word of its own for the credential and a list of comments that is not paged."""

from __future__ import annotations

from assaymark.feedback.forges.ask import Ask, Target
from assaymark.feedback.forges.github import GitHub, issue_comments


class Gitea(GitHub):
    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    def comments(self, target: Target, page: int) -> Ask:
        # A second page would be the first one again.
        return Ask("GET", issue_comments(target), query={} if page == 1 else {"since": "9999-12-31T00:00:00Z"})
