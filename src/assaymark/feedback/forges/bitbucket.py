"""Bitbucket Cloud's REST API 2.0: build statuses and pull request comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from assaymark.feedback.forges.ask import Ask, Said, Target
from assaymark.feedback.message import Status, StatusState

_STATE = {
    StatusState.PENDING: "INPROGRESS",
    StatusState.SUCCESS: "SUCCESSFUL",
    StatusState.FAILURE: "FAILED",
    StatusState.ERROR: "FAILED",
    StatusState.CANCELLED: "STOPPED",
}


class Bitbucket:
    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def status(self, target: Target, status: Status) -> Ask:
        body = {
            "key": status.context,
            "name": status.context,
            "state": _STATE[status.state],
            "url": status.url,
            "description": status.description,
        }
        return Ask("POST", f"/repositories/{_path(target)}/commit/{quote(target.commit, safe='')}/statuses/build", body)

    def comments(self, target: Target, page: int) -> Ask:
        query = {"pagelen": "100", "page": str(page)}
        return Ask("GET", f"/repositories/{_path(target)}/pullrequests/{target.number}/comments", query=query)

    def said(self, answer: Any) -> Sequence[Said]:
        return [
            Said(str(each["id"]), (each.get("content") or {}).get("raw", ""), (each.get("user") or {}).get("uuid", ""))
            for each in answer["values"]
            if not each.get("deleted")
        ]

    def create(self, target: Target, body: str) -> Ask:
        return Ask("POST", f"/repositories/{_path(target)}/pullrequests/{target.number}/comments", {"content": {"raw": body}})

    def update(self, target: Target, comment: str, body: str) -> Ask:
        path = f"/repositories/{_path(target)}/pullrequests/{target.number}/comments/{quote(comment, safe='')}"
        return Ask("PUT", path, {"content": {"raw": body}})

    def created(self, answer: Any) -> str:
        return str(answer["id"])


def _path(target: Target) -> str:
    return quote(target.repository, safe="/")
