"""Why a family of weaknesses matters, how it is exploited, and what safe code looks like: the packaged pages as values.

One Markdown page per rule class, ``explanations/<class>.md``, with a fixed outline. A page is read when it is first asked for.
A class of our own without a page is a defect of the package and said so; a foreign rule's own class has none and gets what the rule says.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache

from msgspec import Struct

from assaymark.errors import InternalError
from assaymark.model.finding import Finding, RuleClassId
from assaymark.model.rules import RuleInfo, catalogue
from assaymark.views.examples import PLATFORMS, examples
from assaymark.views.sanitise import location, one_line, visible, visible_lines
from assaymark.views.style import Style

WHY, EXPLOIT, SAFE, REFERENCES = "Why it matters", "How it is exploited", "Safe code", "References"
_SECTIONS = (WHY, EXPLOIT, SAFE, REFERENCES)
# Strings, compiled when first used: a pass explains nothing and shall not wait for them.
_FENCE = r"(?ms)^(?P<fence>`{3,}|~{3,})[ ]*(?P<language>[^\s`]*)[ ]*(?P<platform>[^\s`]*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ ]*$"
_REFERENCE = r"(?m)^[-*][ ]+(?:(?P<label>[^\n]+?):[ ]+)?<?(?P<url>https?://[^\s>]+)>?[ ]*$"
_SENTENCE = r"(?<=[.!?])\s+(?=[A-Z\"'`(])"
_ALIASES = {
    "py": "python", "js": "javascript", "jsx": "javascript", "node": "javascript", "ts": "typescript", "tsx": "typescript",
    "sh": "bash", "shell": "bash", "yml": "yaml", "golang": "go", "jenkinsfile": "groovy", "c#": "csharp", "rb": "ruby",
    "github-actions": "yaml", "gitlab-ci": "yaml",
}  # fmt: skip
_SIBLINGS = {"typescript": "javascript", "javascript": "typescript"}
_BY_SUFFIX = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript",
    "ts": "typescript", "tsx": "typescript", "java": "java", "kt": "kotlin", "go": "go", "rb": "ruby", "php": "php", "cs": "csharp",
    "rs": "rust", "sh": "bash", "bash": "bash", "yml": "yaml", "yaml": "yaml", "json": "json", "toml": "toml", "xml": "xml",
    "tf": "hcl", "groovy": "groovy", "env": "dotenv", "sql": "sql", "html": "html",
    "conf": "ini", "htaccess": "ini", "vhost": "ini",
}  # fmt: skip
_BY_NAME = {"jenkinsfile": "groovy", "dockerfile": "dockerfile", ".env": "dotenv"}


class CodeBlock(Struct, frozen=True):
    """A fenced block of a page."""

    language: str
    code: str
    platform: str = ""
    """For languages that several platforms read in their own way: ``github``, ``gitlab``, …"""


class Reference(Struct, frozen=True):
    """Where to read on."""

    label: str
    url: str


class Explanation(Struct, frozen=True):
    """A page, in its parts."""

    rule_class: RuleClassId
    title: str
    why: str
    """Markdown, paragraphs parted by empty lines; likewise `exploit` and `advice`."""
    exploit: str
    advice: str
    """What stands in the section on safe code beside the code."""
    safe: tuple[CodeBlock, ...]
    references: tuple[Reference, ...]
    source: str
    """The whole page, for formats that take Markdown."""

    @property
    def in_short(self) -> str:
        """The first sentence of why it matters, on one line, without Markdown."""
        first = self.why.strip().split("\n\n", 1)[0]
        return plain(re.split(_SENTENCE, " ".join(first.split()), maxsplit=1)[0])


def parse(rule_class: RuleClassId, page: str) -> Explanation:
    """The page's parts.

    Raises:
        InternalError: when the page does not keep the outline.
    """
    source = page.replace("\r\n", "\n").strip() + "\n"
    head, *rest = re.split(r"^## +", _fences_hidden(source), flags=re.MULTILINE)
    sections = {title.strip(): body for title, _, body in (part.partition("\n") for part in rest)}
    title = head.strip().partition("\n")[0].removeprefix("# ").strip()
    missing = [name for name in _SECTIONS if not sections.get(name, "").strip()]
    if missing or not head.startswith("# ") or not title:
        wanted = ", ".join(missing) or "title"
        raise InternalError(f"The explanation of {rule_class} is not whole", why=f"missing: {wanted}", advice="report this defect")
    safe = _fences_shown(sections[SAFE])
    return Explanation(
        rule_class=rule_class,
        title=title,
        why=_fences_shown(sections[WHY]).strip(),
        exploit=_fences_shown(sections[EXPLOIT]).strip(),
        advice=re.sub(r"\n{3,}", "\n\n", re.sub(_FENCE, "", safe)).strip(),
        safe=tuple(CodeBlock(_language(m["language"]), m["code"].rstrip("\n"), m["platform"]) for m in re.finditer(_FENCE, safe)),
        references=tuple(Reference(m["label"] or m["url"], m["url"]) for m in re.finditer(_REFERENCE, sections[REFERENCES])),
        source=source,
    )


def _fences_hidden(text: str) -> str:
    """A comment in sample code may look like a heading; inside fences it must not."""
    return re.sub(_FENCE, lambda m: m[0].replace("\n#", "\n\0#"), text)


def _fences_shown(text: str) -> str:
    return text.replace("\n\0#", "\n#")


@cache
def explanation(rule_class: RuleClassId) -> Explanation:
    """The packaged page of a class of ours.

    Raises:
        InternalError: when there is no such page, or it does not keep the outline.
    """
    # Costs more to import than all of the terminal view, and a pass explains nothing.
    from importlib.resources import files  # noqa: PLC0415

    page = files("assaymark.views") / "explanations" / f"{rule_class}.md"
    if "/" in rule_class or "\\" in rule_class or not page.is_file():
        raise InternalError(
            f"There is no explanation of {visible(rule_class)}",
            why="every rule class has a packaged page, and this one's is not in the installed package",
            advice="reinstall Assaymark; if it stays, report this defect",
        )
    return parse(rule_class, page.read_text("utf-8"))


def find_explanation(rule_class: RuleClassId) -> Explanation | None:
    """The page, or None for a class that is a foreign rule of its own.

    Raises:
        InternalError: when a class of ours lacks its page.
    """
    return explanation(rule_class) if rule_class in catalogue().classes else None


def _language(word: str) -> str:
    word = word.lower()
    return _ALIASES.get(word, word)


def language_of(path: str) -> str:
    """The language that a file of this name is written in, as pages name it; empty when unknown."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    return _BY_SUFFIX.get(name.rpartition(".")[2], "") if "." in name else ""


def platform_of(path: str, rule: str = "") -> str:
    """The platform that reads a file of this name, as pages name it, or the one whose files the rule is about; empty for neither."""
    known = PLATFORMS.get(rule.partition("/")[0])
    if known is not None:
        return known
    if ".github/" in path or path.endswith(("action.yml", "action.yaml")):
        return "github"
    return "gitlab" if "gitlab-ci" in path or ".gitlab/" in path else ""


def safe_code(page: Explanation, language: str, platform: str = "") -> tuple[CodeBlock, ...]:
    """The blocks for this platform, else in this language (or its sibling); all blocks of the page when there are none of either."""
    wanted = _language(language)
    further = tuple(CodeBlock(_language(each.language), each.code, each.platform) for each in examples(page.rule_class))
    for blocks in (page.safe, further):
        own = tuple(block for block in blocks if block.platform and block.platform in (platform, language))
        if own:
            return own
    for name in (wanted, _SIBLINGS.get(wanted, wanted)):
        for blocks in (page.safe, further):
            found = tuple(block for block in blocks if block.language == name)
            if found:
                return found
    return page.safe


def plain(markdown: str) -> str:
    """Markdown of our own pages as plain text: links become their text, code and emphasis lose their marks."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown)
    text = re.sub(r"(?<!\w)(\*\*?)(?=[^*\s])([^*]+)\1(?!\w)", r"\2", text)
    return text.replace("`", "")


def render_explanation(
    finding: Finding, rule: RuleInfo, language: str = "", *, style: Style | None = None, page: Explanation | None = None
) -> str:
    """Everything there is to say about one finding, for a terminal. `language` empty means: that of the finding's path."""
    pen = style or Style()
    page = page or find_explanation(finding.core.rule_class)
    title = page.title if page else one_line(rule.title)
    lines = [pen.strong(title), pen.faint(f"{finding.severity.value} · {visible(finding.rule)} · {finding.short_id}"), ""]
    lines += [f"  {location(finding.place)}", *_indented(finding.statement, "      "), "", *_wrapped(one_line(finding.message), pen)]
    if finding.fix:
        lines += ["", pen.strong("Fix"), *_wrapped(one_line(finding.fix.advice), pen), *_indented(finding.fix.replacement or "", "      ")]
    if finding.notes:
        lines += ["", pen.strong("Facts")]
        lines += [line for name, value in finding.notes for line in _wrapped(f"{one_line(name)}: {one_line(value)}", pen)]
    if page:
        lines += _page_lines(page, language or language_of(finding.place.path), platform_of(finding.place.path, finding.rule), pen)
    elif rule.url:
        lines += ["", pen.strong(REFERENCES), f"  {visible(rule.url)}"]
    seen = [f"  {visible(w.check)}: {visible(w.rule)} {one_line(w.message)}" for w in finding.witnesses]
    return pen.finish("\n".join([*lines, "", pen.strong("Seen by"), *seen]) + "\n")


def _page_lines(page: Explanation, language: str, platform: str, pen: Style) -> list[str]:
    lines: list[str] = []
    for heading, body in ((WHY, page.why), (EXPLOIT, page.exploit), (SAFE, page.advice)):
        lines += ["", pen.strong(heading)]
        lines += _body(body, pen)
    for block in safe_code(page, language, platform):
        lines += ["", pen.faint(f"  {block.language or 'text'}"), *_indented(block.code, "      ")]
    return [*lines, "", pen.strong(REFERENCES), *(f"  {visible(r.label)}: {visible(r.url)}" for r in page.references)]


def _body(markdown: str, pen: Style) -> list[str]:
    """Paragraphs wrapped, list items kept apart, code kept as it is."""
    lines: list[str] = []
    position = 0
    for match in re.finditer(_FENCE, markdown):
        lines += [*_paragraphs(markdown[position : match.start()], pen), *_indented(match["code"], "      ")]
        position = match.end()
    return lines + _paragraphs(markdown[position:], pen)


def _paragraphs(markdown: str, pen: Style) -> list[str]:
    lines: list[str] = []
    for block in re.split(r"\n{2,}|\n(?=[-*\d])", markdown.strip()):
        lines += _wrapped(plain(" ".join(block.split())), pen)
    return lines


def _wrapped(text: str, pen: Style) -> list[str]:
    hang = "    " if text.startswith(("- ", "* ")) else "  "
    return textwrap.wrap(
        text, max(pen.width, 40), initial_indent="  ", subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )


def _indented(text: str, margin: str) -> list[str]:
    return [margin + line for line in visible_lines(textwrap.dedent(text)).rstrip("\n").split("\n")] if text else []
