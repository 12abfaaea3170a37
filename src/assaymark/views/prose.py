"""What people write, as HTML: paragraphs, lists, quotes, code, emphasis, links to the web, and names of people.

Guarantees: the text is cut into pieces first and each piece is escaped on its own, so nothing that somebody writes becomes markup; a link
goes to http or https, carries no credentials, shows where it leads when its words do not, and tells the other side nothing; the work grows
with the length of the text and not faster, because nothing is looked for further than a bound. Does not know HTML, images, headings, tables
or anything nested: what is none of the above stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from urllib.parse import urlsplit

from assaymark.views.sanitise import visible_lines

LONGEST = 10_000
"""Characters that are rendered."""
MOST_NAMES = 20
"""People whom one text may call."""
_REL = "nofollow noopener noreferrer ugc"
_INLINE = re.compile(
    r"`(?P<code>[^`\n]{1,300})`"
    r"|\*\*(?P<strong>[^*\n]{1,300})\*\*"
    r"|(?<![\w*])\*(?P<em>[^*\s][^*\n]{0,300})\*(?!\w)"
    r"|\[(?P<words>[^\[\]\n]{1,300})\]\((?P<target>https?://[^\s()<>\"'`]{1,2000})\)"
    r"|(?P<bare>https?://[^\s<>\"'`]{1,2000})"
    r"|(?<![\w@./+-])@(?P<name>[a-z0-9][a-z0-9._@+-]{0,99})"
)
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_BULLET = re.compile(r" {0,3}[-*+] +(?=\S)")
_NUMBERED = re.compile(r" {0,3}\d{1,6}[.)] +(?=\S)")
_QUOTE = re.compile(r" {0,3}> ?")
_TAIL = ".,;:!?)]}"
Block = tuple[str, list[str]]


def prose(text: str) -> str:
    """HTML of a text; what is beyond `LONGEST` is left out, and said."""
    shown = "".join(_html(kind, lines) for kind, lines in _blocks(_lines(text[:LONGEST])))
    return shown + ('<p class="soft">(cut)</p>' if len(text) > LONGEST else "")


def names_in(text: str) -> tuple[str, ...]:
    """Whom it calls by ``@login``, outside of code, in the order in which they stand there."""
    found: dict[str, None] = {}
    for kind, lines in _blocks(_lines(text[:LONGEST])):
        if kind != "pre":
            for match in _INLINE.finditer("\n".join(lines)):
                if match["name"] is not None:
                    found[_called(match["name"])] = None
    return tuple(found)[:MOST_NAMES]


def _lines(text: str) -> list[str]:
    return visible_lines(text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")).split("\n")


def _blocks(lines: list[str]) -> Iterator[Block]:
    """Neighbouring lines of one kind together."""
    kind, held, is_fenced = "", [""] * 0, False
    for line in lines:
        if _FENCE.match(line):
            if held or is_fenced:
                yield kind, held
            kind, held, is_fenced = ("", [], False) if is_fenced else ("pre", [], True)
            continue
        here, rest = ("pre", line) if is_fenced else _kind_of(line)
        if here != kind and held:
            yield kind, held
            held = []
        kind = here
        if here:
            held.append(rest)
    if held or is_fenced:
        yield kind, held


def _kind_of(line: str) -> tuple[str, str]:
    if not line.strip():
        return "", ""
    for kind, mark in (("ul", _BULLET), ("ol", _NUMBERED), ("blockquote", _QUOTE)):
        if (found := mark.match(line)) is not None:
            return kind, line[found.end() :]
    return "p", line


def _html(kind: str, lines: list[str]) -> str:
    match kind:
        case "pre":
            return f"<pre><code>{escape(chr(10).join(lines), quote=True)}</code></pre>"
        case "ul" | "ol":
            return f"<{kind}>{''.join(f'<li>{_inline(line)}</li>' for line in lines)}</{kind}>"
        case "blockquote":
            return f"<blockquote><p>{'<br>'.join(map(_inline, lines))}</p></blockquote>"
        case _:
            return f"<p>{'<br>'.join(map(_inline, lines))}</p>"


def _inline(line: str) -> str:
    made: list[str] = []
    position = 0
    for match in _INLINE.finditer(line):
        made += [escape(line[position : match.start()], quote=True), _marked(match)]
        position = match.end()
    return "".join([*made, escape(line[position:], quote=True)])


def _marked(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "target":
        return _link(match["words"], match["target"], match[0])
    if kind == "bare":
        address = match["bare"].rstrip(_TAIL)
        return _link(address, address, address) + escape(match["bare"][len(address) :], quote=True)
    if kind == "name":
        name = _called(match["name"])
        return f"<b>@{escape(name, quote=True)}</b>{escape(match['name'][len(name) :], quote=True)}"
    return f"<{kind}>{escape(match[kind], quote=True)}</{kind}>"


def _link(words: str, target: str, written: str) -> str:
    host = _host(target)
    if not host:
        return escape(written, quote=True)
    where = "" if words == target else f' <span class="soft">({escape(host, quote=True)})</span>'
    return f'<a href="{escape(target, quote=True)}" rel="{_REL}">{escape(words, quote=True)}</a>{where}'


def _host(target: str) -> str:
    """Where an address leads; empty for what is none, or would say one place and go to another."""
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return ""
    if parts.username is not None or parts.password is not None or not parts.hostname or "\\" in target:
        return ""
    return parts.hostname if port is None else f"{parts.hostname}:{port}"


def _called(name: str) -> str:
    return name.rstrip(".@+-_")
