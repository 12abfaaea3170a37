"""Slack, by an incoming webhook: blocks of Block Kit.

Guarantees: foreign text stands in ``plain_text`` only, in which Slack knows no mention, link or formatting; in the one text that has to be
``mrkdwn`` (what a notification shows) its three control characters are escaped and a mention cannot begin; links are not unfolded.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.feedback.channels.telling import Telling

_HEADER, _FIELD = 150, 2000
_BREAK = "\u200b"


def message(telling: Telling) -> bytes:
    """The body."""
    fields = [_plain(f"{name}: {value}", _FIELD) for name, value in telling.facts]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(telling.heading, _HEADER)},
        {"type": "section", "text": _plain(telling.title, _FIELD), **({"fields": fields} if fields else {})},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"<{telling.url.replace('|', '%7C').replace('>', '%3E')}|Open it>"}},
    ]
    said = {"text": escaped(f"{telling.heading}: {telling.title}"), "mrkdwn": False, "blocks": blocks}
    return msgspec.json.encode(said | {"unfurl_links": False, "unfurl_media": False, "link_names": False, "parse": "none"})


def escaped(text: str) -> str:
    """Text in which nothing begins: no entity, no mention, no channel."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("@", f"@{_BREAK}").replace("#", f"#{_BREAK}").replace("://", f":{_BREAK}//")


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…", "emoji": False}
