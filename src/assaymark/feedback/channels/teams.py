"""Microsoft Teams, by a workflow (*Post to a channel when a webhook request is received*): an Adaptive Card.

Guarantees: foreign text stands in text runs only, which know no Markdown; a card names nobody to be mentioned, so that ``<at>`` is text;
what could begin a function of the card's text (``{{DATE(``) is broken. A card stays far below the 28 KB that Teams takes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.feedback.channels.telling import Telling

_BREAK = "\u200b"


def message(telling: Telling) -> bytes:
    """The body."""
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": telling.heading, "weight": "Bolder", "size": "Medium", "wrap": True},
        _runs((telling.title, False)),
        *(_runs((f"{name}: ", True), (value, False)) for name, value in telling.facts),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open it", "url": telling.url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return msgspec.json.encode({"type": "message", "attachments": [attachment]})


def escaped(text: str) -> str:
    """Text in which no function of the card begins."""
    return text.replace("{", f"{{{_BREAK}").replace("<", f"<{_BREAK}")


def _runs(*parts: tuple[str, bool]) -> dict[str, Any]:
    runs = [{"type": "TextRun", "text": escaped(text), **({"weight": "Bolder"} if is_bold else {})} for text, is_bold in parts]
    return {"type": "RichTextBlock", "inlines": runs}
