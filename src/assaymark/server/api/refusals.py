"""Every refusal that a caller can meet, and which operations can give it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from assaymark.server.api.route import Operation, Upload


class Told(Struct, frozen=True):
    """One status."""

    status: int
    name: str
    """Of the component in the description."""
    code: str
    """Most common last part of the problem's type."""
    title: str
    text: str


PROBLEMS: Mapping[int, Told] = {
    each.status: each
    for each in (
        Told(400, "Invalid", "invalid", "the request makes no sense", "A parameter or the document makes no sense; `detail` says which."),
        Told(401, "Unauthenticated", "unauthenticated", "nobody is signed in", "There is no valid token or session."),
        Told(403, "Forbidden", "forbidden", "this is not allowed", "The role or the token's scopes do not have it."),
        Told(404, "NotFound", "not-found", "this is not here", "It is not there, or is none of the caller's business."),
        Told(408, "TooSlow", "too-slow", "the request did not come in time", "The document came too slowly."),
        Told(409, "Conflict", "conflict", "this is not possible now", "It contradicts what is there, or the same request still runs."),
        Told(412, "Changed", "changed", "somebody changed it since it was read", "`If-Match` names another state than the present one."),
        Told(413, "TooLarge", "too-large", "the request is too large", "The document is larger than this operation takes."),
        Told(415, "UnsupportedMediaType", "unsupported-media-type", "this kind of document is not read", "It is not JSON in UTF-8."),
        Told(422, "Unprocessable", "key-reused", "the document cannot be read", "Not possible, or a key that was used before."),
        Told(429, "TooManyRequests", "too-many-requests", "there were too many requests", "Wait as long as `Retry-After` says."),
        Told(500, "Internal", "internal", "this is a defect of the server", "A defect; the log tells it under the request's id."),
        Told(503, "Unavailable", "busy", "the database does not answer now", "Something that the server needs does not answer; try again."),
    )
}  # fmt: skip
_ALWAYS = (400, 401, 403, 404, 409, 422, 429, 500, 503)


def told_of(operation: Operation) -> list[Told]:
    """What one operation can answer beside success."""
    statuses = set(_ALWAYS)
    if operation.method != "GET":
        statuses |= {408, 412, 413}
    if operation.body not in (None, Upload):
        statuses.add(415)
    return [PROBLEMS[status] for status in sorted(statuses)]
