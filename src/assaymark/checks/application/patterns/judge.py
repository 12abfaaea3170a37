"""From the bytes of a file to an outcome.

* A file in which no word of any rule stands is clean without being parsed: no rule could see anything in it.
* Broken text is tolerated where no rule would have looked. Where a word of a rule stands inside what could not be read, or where more than
  a part of the file could not be read, the file is unchecked: something may hide there.
* The steps of data flow for one text are bounded; a text that asks for more is unchecked.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.flow import Flow, TooComplex
from assaymark.checks.application.patterns.rules import Hit, Pack, Place, Rule
from assaymark.checks.application.patterns.shapes import Speech
from assaymark.checks.application.patterns.suppressions import Requests
from assaymark.checks.application.patterns.text import WORD, Text
from assaymark.checks.rulebook import in_order
from assaymark.model import rules
from assaymark.model.check import Checked, Input, Outcome, Unchecked
from assaymark.model.finding import Fix, RuleId, Sighting, Span
from assaymark.model.scope import LANGUAGES, site_of
from assaymark.model.severity import Confidence
from assaymark.model.syntax_tree import LARGEST, NoTreeError

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_HITS = 2_000
MOST_LEAVES = 60_000
MOST_BROKEN = 0.25
"""Part of the bytes that may stand in what could not be read, when no rule looks there. Public code with syntax of its own (Flow,
macros of templates) stays below; a file in another language does not."""
GENERATED_LINE = 250
"""Mean characters of a line. Written code has about 30; what has more was put together by a bundler, and is judged one step less surely.
It is not skipped: a file could be made to look generated, and that would close what was found in it."""
_SMALL = 8_000
_STEPS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def judge(pack: Pack, given: Input) -> Outcome:  # noqa: PLR0911 - one return per reason
    """What the rules say of one file."""
    content = given.content
    if len(content) > LARGEST:
        return Unchecked("size", f"The file has {len(content)} bytes, the limit is {LARGEST}; split it or exclude it.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Unchecked("encoding", "The file is UTF-16; save it as UTF-8.", 1)
    live = _live(pack, content)
    if not live:
        return Checked()
    if b"\0" in content[:8_192]:
        return Checked(skipped="binary")
    try:
        text = _read(pack, given)
        broken = _broken(text, live - pack.keywords)
        return broken or Checked(_sightings(pack, text, live, str(given.dialect)))
    except NoTreeError:
        return Unchecked("syntax", f"This is no {pack.check} that can be read; correct its syntax.", 1)
    except TooComplex:
        return Unchecked("complexity", "Too many values would have to be followed in this file; split it or exclude it.")


def _live(pack: Pack, content: bytes) -> frozenset[str]:
    """The words of rules that stand in the file."""
    found = pack.words.intersection(WORD.findall(content))
    return frozenset(word.decode() for word in found)


def _read(pack: Pack, given: Input) -> Text:
    """The text under the first grammar that reads it without errors, otherwise under the one that leaves least unread."""
    content = given.content.removeprefix(codecs.BOM_UTF8)
    if not content.isascii():
        content = content.decode("utf-8", "replace").encode()
    best: Text | None = None
    least = 0
    for grammar in pack.grammars[given.dialect]:
        try:
            text = Text(content, grammar)
        except NoTreeError:
            continue
        unread = sum(node.end_byte - node.start_byte for node in errors(text))
        if best is None or unread < least:
            best, least = text, unread
        if not text.has_errors:
            break
    if best is None:
        raise NoTreeError("syntax")
    return best


def errors(text: Text) -> list[Node]:
    """The places that could not be read."""
    return text.captures("(ERROR) @error").get("error", []) if text.has_errors else []


def _broken(text: Text, live: frozenset[str]) -> Unchecked | None:
    places = errors(text)
    if not places:
        return None
    unread = 0
    for node in places:
        unread += node.end_byte - node.start_byte
        hidden = live.intersection(word.decode() for word in WORD.findall(text.content[node.start_byte : node.end_byte]))
        if hidden or unread > MOST_BROKEN * len(text.content):
            line = node.start_point[0] + 1
            return Unchecked("syntax", f"Line {line} and what follows cannot be read; correct the syntax there.", line)
    return None


def _sightings(pack: Pack, text: Text, live: frozenset[str], dialect: str) -> tuple[Sighting, ...]:
    speech = pack.speech(text)
    found: dict[tuple[str, int, int], tuple[Rule, Hit]] = {}
    for rule, hit in islice(_hits(pack, speech, live), MOST_HITS + 1):
        key = (rule.id, hit.node.start_byte, hit.node.end_byte)
        if key not in found or found[key][1].less > hit.less:
            found[key] = (rule, hit)
    if len(found) > MOST_HITS:
        raise TooComplex
    requests = Requests(speech) if found else None
    language = LANGUAGES.get(dialect, dialect)
    if len(text.content) > max(_SMALL, GENERATED_LINE * (text.content.count(b"\n") + 1)):
        found = {key: (rule, replace(hit, less=hit.less + 1)) for key, (rule, hit) in found.items()}
    made = [
        _sighting(text, RuleId(f"{pack.check}/{rule.id}"), hit, rule, language=language, requests=requests) for rule, hit in found.values()
    ]
    return in_order(made)


def _hits(pack: Pack, speech: Speech, live: frozenset[str]) -> Iterator[tuple[Rule, Hit]]:
    flow = Flow(speech)
    aliases = {name: path.rpartition(".")[2].rpartition("/")[2] for name, path in speech.aliases().items()}
    number = 0
    for word, leaf in speech.text.leaves({*live, *(name for name, last in aliases.items() if _asked(pack, last))}):
        number += 1
        if number > MOST_LEAVES:
            raise TooComplex
        wanted = dict.fromkeys((*pack.by_word.get(word, ()), *_asked(pack, aliases.get(word, ""))))
        if not wanted:
            continue
        place = Place(speech, flow, leaf, speech.call_at(leaf))
        for rule in wanted:
            for hit in rule.look(place):
                yield rule, hit


def _asked(pack: Pack, last: str) -> tuple[Rule, ...]:
    """Rules about a name that is imported under another one; module names hold marks, of which the last word counts."""
    return pack.by_word.get(last) or pack.by_word.get(last.rpartition("-")[2], ()) if last else ()


def _sighting(  # noqa: PLR0913 - what is known of the text, the rule and the place
    text: Text, id_: RuleId, hit: Hit, rule: Rule, *, language: str, requests: Requests | None
) -> Sighting:
    known = rules.catalogue().describe(id_)
    found = text.outline.at(hit.node.start_byte)
    start, end = hit.node.start_byte, hit.node.end_byte
    outline = text.outline
    span = Span(outline.line_of(start), outline.column_of(start), outline.line_of(end), outline.column_of(end))
    return Sighting(
        rule=id_,
        site=site_of(found, language),
        severity=known.severity,
        message=hit.message or (f"{rule.message} It comes from {hit.source}." if hit.source else rule.message),
        span=span,
        confidence=_STEPS[max(0, known.confidence.rank - hit.less)],
        fix=Fix(rule.advice),
        suppression=requests.find({rule.id, *known.aliases}, hit.node, found) if requests else None,
    )
