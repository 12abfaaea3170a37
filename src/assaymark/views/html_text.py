"""Text for HTML: everything escaped, our own pages' little Markdown rendered.

Guarantees that no content of others becomes markup: `text` is the only door, and `inline` escapes before it marks up.
"""

from __future__ import annotations

import re
from html import escape

from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged
from assaymark.views.explain import CodeBlock, Explanation
from assaymark.views.sanitise import excerpt, one_line

_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_EMPHASIS = re.compile(r"(?<![*\w])\*([^*\s][^*]*)\*(?!\w)")
_LINK = re.compile(r"\[([^\]]+)\]\((https://[^\s)]+)\)")
_LIST_ITEM = re.compile(r"^(?:[-*]|\d+\.) +")


def text(value: str) -> str:
    """Content on one line."""
    return escape(one_line(value), quote=True)


STATEMENT = 8_000
"""Characters of source that one block holds: generated one-line files must not make the report unreadable."""


def block(value: str) -> str:
    """Content of several lines, for ``<pre>``."""
    return f"<pre><code>{escape(excerpt(value, STATEMENT), quote=True)}</code></pre>"


def inline(markdown: str) -> str:
    """A paragraph of our own pages: code, bold, emphasis and https links."""
    pieces = _CODE.split(" ".join(markdown.split()))
    made = [f"<code>{text(piece)}</code>" if index % 2 else _marked(piece) for index, piece in enumerate(pieces)]
    return "".join(made)


def _marked(piece: str) -> str:
    lead = " " if piece[:1] == " " else ""
    tail = " " if piece[-1:] == " " and piece.strip() else ""
    bold = _EMPHASIS.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", text(piece)))
    return lead + _LINK.sub(r'<a href="\2" rel="noopener noreferrer">\1</a>', bold) + tail


def paragraphs(markdown: str) -> str:
    """Paragraphs and flat lists of our own pages; fenced code becomes a block."""
    parts: list[str] = []
    for index, piece in enumerate(re.split(r"^(?:```|~~~)[^\n]*\n?", markdown, flags=re.MULTILINE)):
        if index % 2:
            parts.append(block(piece.rstrip("\n")))
        else:
            parts += [_paragraph(part) for part in re.split(r"\n{2,}", piece.strip()) if part]
    return "".join(parts)


def _paragraph(part: str) -> str:
    if not _LIST_ITEM.match(part):
        return f"<p>{inline(part)}</p>"
    items = re.split(r"\n(?=(?:[-*]|\d+\.) +)", part)
    tag = "ol" if part[0].isdigit() else "ul"
    rows = "".join(f"<li>{inline(_LIST_ITEM.sub('', item, count=1))}</li>" for item in items)
    return f"<{tag}>{rows}</{tag}>"


def section(name: str, title: str, number: int | None, body: str) -> str:
    counted = f' <span class="number">{number}</span>' if number is not None else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}{counted}</h2>{body}</section>'


def severity_badge(severity: Severity) -> str:
    """Meter and word: never colour alone."""
    meter = "▮" * severity.rank + "▯" * (4 - severity.rank)
    return f'<span class="severity {severity.value}"><i aria-hidden="true">{meter}</i>{severity.value}</span>'


def filter_data(judged: Judged) -> str:
    """The attributes that the page's filter reads."""
    state = "waived" if judged.waiver else judged.state.value
    words = text(judged.finding.core.rule_class)
    return f'data-severity="{judged.finding.severity.value}" data-state="{state}" data-words="{words}"'


def page_details(page: Explanation, blocks: tuple[CodeBlock, ...]) -> str:
    """Why, how, and safe code, folded away."""
    safe = "".join(f'<p class="soft">{text(b.language or "text")}</p>{block(b.code)}' for b in blocks)
    links = "".join(f"<li>{_reference(ref.label, ref.url)}</li>" for ref in page.references)
    return (
        '<details class="more"><summary>Why it matters, how it is exploited, safe code</summary><div class="prose">'
        f"<h4>Why it matters</h4>{paragraphs(page.why)}<h4>How it is exploited</h4>{paragraphs(page.exploit)}"
        f"<h4>Safe code</h4>{paragraphs(page.advice)}{safe}<h4>References</h4><ul>{links}</ul></div></details>"
    )


def _reference(label: str, url: str) -> str:
    return f'<a href="{text(url)}" rel="noopener noreferrer">{text(label)}</a>'
