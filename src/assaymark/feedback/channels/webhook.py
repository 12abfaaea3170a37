"""The payload of an outgoing webhook, version 1: ``type``, ``timestamp`` and ``data``, as Standard Webhooks recommends.

Guarantees: members are added within a version and never taken away or given another meaning; `docs/reference/webhooks.schema.json`
describes them, and a test holds every kind against it. Texts are as they came: a receiver escapes them for where it shows them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.feedback.channels.telling import Telling

VERSION = 1


def payload(telling: Telling) -> bytes:
    """The body."""
    row = telling.row
    data: dict[str, Any] = {
        "version": VERSION,
        "id": row.id,
        "title": row.title,
        "url": telling.url,
        "team": row.team,
        "subject": None if row.subject is None else {"id": row.subject, "name": row.subject_name},
        "repository": None if row.repository is None else {"id": row.repository, "name": row.repository_name},
        "severity": None if row.severity is None else row.severity.value,
        "actor": row.actor,
        "facts": row.data,
    }
    return msgspec.json.encode({"type": row.kind.value, "timestamp": telling.when, "data": data})
