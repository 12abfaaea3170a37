"""Pages: cross-site scripting, messages between windows, what errors tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.javascript.looks import around, pair_at, set_property
from assaymark.checks.application.patterns.rules import (
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    Worth,
    argument,
    called,
    into,
    judged,
    looked,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Computed, Gathered
from assaymark.checks.application.patterns.values import Value

_HTML = Worth(foreign=SURE, unknown=LEAST)
_MARKUP = re.compile(r"<[a-zA-Z!/]")
_ORIGIN_CHECK = re.compile(r"\.origin\b|\.source\b|isTrusted|\borigin\b")
_ESCAPE = "Set `textContent`, or let a sanitiser such as DOMPurify make the markup harmless right before."


def _html_property(place: Place) -> Iterator[Hit]:
    found = set_property(place)
    if found is None:
        return
    assignment, _, value = found
    judgement = judged(place.flow.value(value), "html", _HTML)
    if judgement:
        yield Hit(assignment, *judgement)


def _react_html(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is None:
        return
    pair, value = found
    judgement = judged(place.flow.value(value), "html", _HTML)
    if judgement:
        yield Hit(pair, *judgement)


def _plain_reply(place: Place, value: Value) -> bool:
    """True for what is sent as something other than a page: nothing foreign in it can be markup."""
    call = place.call
    if call is None:
        return True
    written = place.speech.text.of(call.node)[:2_000]
    return bool(re.search(r"\.(?:json|type|contentType)\(|application/json|text/plain", written)) or value.foreign.endswith(
        (".headers", ".get")
    )


def _reply(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or call.receiver is None or not re.match(r"(?:res|response|reply|ctx\.res|this\.res)\b", call.path) or not call.args:
        return
    if call.name in ("write", "end") and not place.flow.value(call.args[0]).built:
        return
    shape = place.flow.resolved(call.args[0])
    value = place.flow.value(call.args[0])
    if isinstance(shape, Gathered) or _plain_reply(place, value):
        return
    judgement = judged(value, "html", FOREIGN)
    if judgement and (value.built or not value.foreign.endswith((".body", ".file", ".files"))):
        yield Hit(call.node, judgement[0] + (SURE if _MARKUP.search(value.prefix) else LESS), judgement[1])


def _escape_off(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is None:
        return
    pair, value = found
    wrong = {"noEscape": "true", "autoescape": "false", "autoEscape": "false", "unsafeHTML": "true"}
    if text_of(place, value) == wrong.get(place.speech.text.of(place.leaf)):
        yield Hit(pair)


def _trusted(place: Place, call: Called) -> bool | int | None:
    if not call.args:
        return None
    judgement = judged(place.flow.value(call.args[0]), "html", Worth(foreign=SURE, built=LESS, unknown=LESS))
    return None if judgement is None else judgement[0]


def _message_listener(place: Place) -> Iterator[Hit]:
    call = place.call
    if (
        call is None
        or call.path not in ("window.addEventListener", "addEventListener", "globalThis.addEventListener")
        or len(call.args) < 2
    ):
        return
    if argument(place, 0) != "message":
        return
    handler = call.args[1]
    if isinstance(place.speech.shape(handler), Computed):
        body = place.speech.text.of(handler)
    else:
        name = place.speech.text.of(handler).rpartition(".")[2]
        found = place.speech.named_functions(name)
        body = place.speech.text.of(found[0].node) if len(found) == 1 else "origin"
    if not _ORIGIN_CHECK.search(body):
        yield Hit(call.node)


def _any_target(place: Place, call: Called) -> bool | int | None:
    return SURE if len(call.args) >= 2 and argument(place, 1) == "*" and not place.flow.value(call.args[0]).text else None


def _error_told(place: Place) -> Iterator[Hit]:
    """``err.stack`` in what is sent to the client."""
    member = place.leaf.parent
    if (
        member is None
        or member.type != "member_expression"
        or not re.match(r"(?:e|er|err|error|ex|exception)\.", place.speech.text.of(member))
    ):
        return
    call = around(member, "call_expression", "statement_block", "arrow_function")
    while call is not None and call.type == "call_expression":
        callee = call.child_by_field_name("function")
        written = place.speech.text.of(callee) if callee is not None else ""
        if re.match(r"(?:res|response|reply|ctx)\b", written) and written.rpartition(".")[2] in (
            "send",
            "json",
            "end",
            "write",
            "render",
            "jsonp",
        ):
            yield Hit(call)
            return
        call = around(call.parent, "call_expression", "statement_block", "arrow_function") if call.parent is not None else None


RULES: tuple[Rule, ...] = (
    looked("dom-html", ("innerHTML", "outerHTML", "srcdoc"), _html_property, message="A value becomes markup of the page.", advice=_ESCAPE),
    into(
        "dom-write",
        "html",
        {
            "document.write": (-1,),
            "document.writeln": (-1,),
            "window.document.write": (-1,),
            "*.insertAdjacentHTML": (1,),
            "*.createContextualFragment": (0,),
            "*.setHTMLUnsafe": (0,),
            "Document.parseHTMLUnsafe": (0,),
        },
        worth=_HTML,
        message="A value becomes markup of the page.",
        advice=_ESCAPE,
    ),
    into(
        "jquery-html",
        "html",
        {
            f"{dollar}.{name}": (0,)
            for dollar in ("$()*", "jQuery()*", "$*", "jquery()*")
            for name in ("html", "append", "prepend", "after", "before", "replaceWith")
        }
        | {"jQuery": (0,), "jquery": (0,)},
        worth=FOREIGN,
        message="A value becomes markup of the page.",
        advice="Use `.text(value)`; jQuery makes markup of text that holds tags.",
    ),
    looked(
        "react-html",
        ("__html",),
        _react_html,
        message="A value is put into the page past React's escaping.",
        advice="Render it as a child, or pass it through DOMPurify.sanitize first.",
    ),
    looked(
        "reply-html",
        ("send", "write", "end"),
        _reply,
        message="A value of the request is sent back as a page.",
        advice="Answer with `res.json(…)`, render a template that escapes, or escape the value for HTML.",
    ),
    looked(
        "escaping-off",
        ("noEscape", "autoescape", "autoEscape"),
        _escape_off,
        message="The template engine escapes nothing.",
        advice="Remove the setting; mark single values that are markup on purpose.",
    ),
    called(
        "trusted-html",
        (
            "*.bypassSecurityTrustHtml",
            "*.bypassSecurityTrustScript",
            "*.bypassSecurityTrustUrl",
            "*.bypassSecurityTrustResourceUrl",
            "*.bypassSecurityTrustStyle",
            "*.trustAsHtml",
            "*.trustAsJs",
            "*.trustAsResourceUrl",
            "new? *SafeString",
        ),
        _trusted,
        message="A value is declared to be harmless markup.",
        advice="Leave it to the framework's sanitiser; declare only constants to be trusted.",
    ),
    looked(
        "message-origin",
        ("addEventListener",),
        _message_listener,
        message="Messages are taken from every window, whoever sends them.",
        advice="Begin the handler with `if (event.origin !== expected) return;`.",
    ),
    called(
        "message-target",
        ("*.postMessage",),
        _any_target,
        message="The message goes to whatever page the window shows by then.",
        advice="Give the origin of the receiver instead of `*`.",
    ),
    looked(
        "error-details",
        ("stack",),
        _error_told,
        message="The stack of an error is sent to the client.",
        advice="Log the error, and answer with a number under which it can be found.",
    ),
)
