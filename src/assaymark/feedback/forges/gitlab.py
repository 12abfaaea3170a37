"""GitLab's REST API v4: commit statuses and notes of a merge request; a project is known by its number, else by its escaped path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from assaymark.feedback.forges.ask import Ask, Said, Target
from assaymark.feedback.message import Status, StatusState

_STATE = {
    StatusState.PENDING: "running",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.ERROR: "failed",
    StatusState.CANCELLED: "canceled",
}


class GitLab:
    def headers(self, token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token, "Accept": "application/json"}

    def status(self, target: Target, status: Status) -> Ask:
        body = {"state": _STATE[status.state], "target_url": status.url, "description": status.description, "name": status.context}
        return Ask("POST", f"/projects/{_project(target)}/statuses/{quote(target.commit, safe='')}", body)

    def comments(self, target: Target, page: int) -> Ask:
        query = {"per_page": "100", "page": str(page), "sort": "asc", "order_by": "created_at"}
        return Ask("GET", f"/projects/{_project(target)}/merge_requests/{target.number}/notes", query=query)

    def said(self, answer: Any) -> Sequence[Said]:
        return [Said(str(each["id"]), each.get("body") or "", (each.get("author") or {}).get("username", "")) for each in answer]

    def create(self, target: Target, body: str) -> Ask:
        return Ask("POST", f"/projects/{_project(target)}/merge_requests/{target.number}/notes", {"body": body})

    def update(self, target: Target, comment: str, body: str) -> Ask:
        return Ask("PUT", f"/projects/{_project(target)}/merge_requests/{target.number}/notes/{quote(comment, safe='')}", {"body": body})

    def created(self, answer: Any) -> str:
        return str(answer["id"])


def _project(target: Target) -> str:
    return quote(target.forge_id or target.repository, safe="")
