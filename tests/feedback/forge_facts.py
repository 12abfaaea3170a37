"""What forges publish of the operations that we call, in our own words: names, kinds, what is required, which words are known.

Sources: GitHub, REST API description for api.github.com (`github/rest-api-description`); GitLab 19.5, `doc/api/openapi/openapi_v3.yaml`;
Gitea, `/swagger.v1.json` (Forgejo's has the same operations). `acceptance/issue4/test_forge_calls.py` holds them against the originals.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

_GIT = frozenset({"error", "failure", "pending", "success"})
_PAGE = {"page": int, "per_page": int}
_PAGED = {"page": int, "limit": int}


class Fact(Struct, frozen=True):
    """One operation."""

    method: str
    path: str
    fields: Mapping[str, type] = {}
    """Of the body."""
    required: frozenset[str] = frozenset()
    query: Mapping[str, type] = {}
    words: Mapping[str, frozenset[str]] = {}
    """What a field or parameter may be, where that is an enumeration."""


_MARK = {"state": str, "target_url": str, "description": str}
_COMMENT: dict[str, type] = {"body": str}
_BODY = frozenset({"body"})
_RUN: dict[str, type] = {
    "name": str, "details_url": str, "external_id": str, "status": str, "conclusion": str, "output": dict, "actions": list,
}  # fmt: skip
_RUN_WORDS = {
    "status": frozenset({"queued", "in_progress", "completed", "waiting", "requested", "pending"}),
    "conclusion": frozenset({"action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out"}),
}
_LAB_LIST = {**_PAGE, "order_by": str, "sort": str, "simple": bool}
_LAB_ORDER = {"order_by": frozenset({"id", "name", "path", "created_at"}), "sort": frozenset({"asc", "desc"})}

FACTS: Mapping[str, tuple[Fact, ...]] = {
    "github": (
        Fact(
            "POST", "/repos/{owner}/{repo}/statuses/{sha}", {**_MARK, "context": str}, required=frozenset({"state"}), words={"state": _GIT}
        ),
        Fact("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", query={**_PAGE, "since": str}),
        Fact("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", _COMMENT, required=_BODY),
        Fact("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", _COMMENT, required=_BODY),
        Fact("POST", "/repos/{owner}/{repo}/check-runs", {**_RUN, "head_sha": str}, frozenset({"name", "head_sha"}), words=_RUN_WORDS),
        Fact("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", _RUN, words=_RUN_WORDS),
        Fact("POST", "/app/installations/{installation_id}/access_tokens"),
        Fact("GET", "/orgs/{org}/repos", query={**_PAGE, "type": str, "sort": str, "direction": str}),
        Fact("GET", "/users/{username}/repos", query={**_PAGE, "type": str, "sort": str, "direction": str}),
    ),
    "gitlab": (
        Fact(
            "POST",
            "/api/v4/projects/{id}/statuses/{sha}",
            {**_MARK, "name": str, "context": str, "ref": str},
            required=frozenset({"state"}),
            words={"state": frozenset({"pending", "running", "success", "failed", "canceled", "skipped"})},
        ),
        Fact(
            "GET",
            "/api/v4/projects/{id}/merge_requests/{noteable_id}/notes",
            query={**_PAGE, "order_by": str, "sort": str},
            words={"order_by": frozenset({"created_at", "updated_at"}), "sort": frozenset({"asc", "desc"})},
        ),
        Fact("POST", "/api/v4/projects/{id}/merge_requests/{noteable_id}/notes", _COMMENT, required=_BODY),
        Fact("PUT", "/api/v4/projects/{id}/merge_requests/{noteable_id}/notes/{note_id}", _COMMENT),
        Fact("GET", "/api/v4/groups/{id}/projects", query={**_LAB_LIST, "include_subgroups": bool, "with_shared": bool}, words=_LAB_ORDER),
        Fact("GET", "/api/v4/users/{user_id}/projects", query=_LAB_LIST, words=_LAB_ORDER),
    ),
    "gitea": (
        Fact("POST", "/repos/{owner}/{repo}/statuses/{sha}", {**_MARK, "context": str}, words={"state": _GIT | {"warning"}}),
        Fact("GET", "/repos/{owner}/{repo}/issues/{index}/comments", query={"since": str, "before": str}),
        Fact("POST", "/repos/{owner}/{repo}/issues/{index}/comments", _COMMENT, required=_BODY),
        Fact("PATCH", "/repos/{owner}/{repo}/issues/comments/{id}", _COMMENT, required=_BODY),
        Fact("GET", "/orgs/{org}/repos", query=_PAGED),
        Fact("GET", "/users/{username}/repos", query=_PAGED),
    ),
}
