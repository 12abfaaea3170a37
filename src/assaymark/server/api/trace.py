"""The trace of something: from what runs to the checks, the commit and the people behind it, and back."""

from __future__ import annotations

from assaymark.model.access import Permission
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import invalid
from assaymark.store.trace import LONGEST, Asker, Trace, trace

router = Router("trace")


@router.add("GET", "/trace", Permission.SUBJECTS_READ)
def get_trace(call: Call, q: str) -> Trace:
    """What hangs together with a digest, a commit, an image, a host, an environment, an address, or somebody.

    `q` stands in the address: ask for a value that is secret by `POST /search`.
    """
    if not q.strip() or len(q) > LONGEST:
        raise invalid(f"`q` is empty or longer than {LONGEST} characters", "name what you look for")
    return look(call, q)


def look(call: Call, text: str) -> Trace:
    """The same for pages."""
    who = call.who
    permissions = (Permission.SUBJECTS_READ, Permission.ASSESSMENTS_READ, Permission.ENDORSEMENTS_READ)
    asker = Asker(*(who.teams_with(permission) for permission in permissions))
    with call.service.database.read() as connection:
        return trace(connection, text, asker, call.service.now())
