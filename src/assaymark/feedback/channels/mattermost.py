"""Mattermost, by an incoming webhook: Markdown.

Guarantees: in foreign text every character with a meaning in Markdown is escaped, and mentions (``@all``), channels (``~town``), hashtags,
emoji, links and slash commands cannot begin.
"""

from __future__ import annotations

import re

import msgspec

from assaymark.feedback.channels.telling import Telling

_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_BEGINS = re.compile(r"(\\[@#~:/.$])(?=\S)")
_BREAK = "\u200b"


def message(telling: Telling) -> bytes:
    """The body."""
    facts = "\n".join(f"- {name}: {escaped(value)}" for name, value in telling.facts)
    link = telling.url.replace("(", "%28").replace(")", "%29")
    text = f"**{telling.heading}**: {escaped(telling.title)}\n{facts}\n[Open it]({link})" if facts else _bare(telling, link)
    return msgspec.json.encode({"text": text})


def escaped(text: str) -> str:
    """Text without any effect."""
    return _BEGINS.sub(rf"\1{_BREAK}", _PUNCTUATION.sub(r"\\\1", text)).replace("www", f"w{_BREAK}ww")


def _bare(telling: Telling, link: str) -> str:
    return f"**{telling.heading}**: {escaped(telling.title)}\n[Open it]({link})"
