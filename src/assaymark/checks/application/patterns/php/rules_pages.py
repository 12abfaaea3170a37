"""What others see or send: pages, headers, redirects, cookies, sessions, records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.php.looks import around, function_text, is_false, scanned
from assaymark.checks.application.patterns.php.queries import based
from assaymark.checks.application.patterns.rules import (
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    argument,
    called,
    guarded,
    into,
    judged,
    looked,
    option,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Either, Gathered, Joined
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_FIXED = re.compile(
    r"(?:(?:location|refresh):\s*)?(?:\d+;\s*url=)?(?:https?://[^/?#\s]+[/?#]|/(?![/\\])|[?#]|[\w-]+(?:/[\w-]+)*\.php|\w+:\w)",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"\s*(?:location|refresh)\s*:", re.IGNORECASE)
_DEEPEST = 6
_NO_PAGE = re.compile(r"content-type:\s*(?:text/plain|application/(?!xhtml)|image/|text/csv|text/event)", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|p|u|br|em|h[1-6r]|li|ul|ol|td|tr|th|div|img|pre|span|form|input|table|strong|script|body|html|label|option|select|font"
    r"|center|title|meta|link|iframe|button|textarea|small|code|section|style|video|svg)\b|<!",
    re.IGNORECASE,
)
_SESSION = re.compile(r"sess|sid\b|token|auth|jwt|remember|login|user", re.IGNORECASE)
_PRINTS = frozenset({"printf", "vprintf", "print_r", "die", "wp_die", "_e"})


def _printed(place: Place, nodes: list[Node], hit: Node) -> Iterator[Hit]:
    for node in (piece for each in nodes for piece in _pieces(place, each)):
        found = judged(place.flow.value(node), "html", FOREIGN)
        if found and not _NO_PAGE.search(function_text(place, hit)):
            yield Hit(hit, found[0] + _doubt(place, node, found[1]), found[1])
            return


def _pieces(place: Place, node: Node, depth: int = 0) -> Iterator[Node]:
    """What a text is put together of: a piece that is escaped must not speak for one that is not."""
    shape = place.speech.shape(node)
    parts: tuple[Node | str, ...] = ()
    if depth < _DEEPEST:
        parts = shape.arms if isinstance(shape, Either) else shape.parts if isinstance(shape, Joined) else ()
    if not parts:
        yield node
    for part in parts:
        if not isinstance(part, str):
            yield from _pieces(place, part, depth + 1)


def _doubt(place: Place, node: Node, source: str) -> int:
    """Browsers encode the address before they send it, and functions that make pieces of pages mostly escape."""
    if guarded(place, node) or re.search(r"REQUEST_URI|QUERY_STRING|REFERER", source):
        return LEAST
    return LESS if place.flow.value(node).weak else SURE


def _written(node: Node) -> list[Node]:
    """What an ``echo``, ``print`` or ``exit`` writes."""
    inner = [child for child in node.named_children if child.type != "comment"]
    return list(inner[0].named_children) if len(inner) == 1 and inner[0].type == "sequence_expression" else inner


def _reply(place: Place) -> Iterator[Hit]:
    call, node = place.call, place.leaf.parent
    if call is not None and call.receiver is None and call.name in _PRINTS:
        if call.name == "print_r" and len(call.args) > 1:
            return
        yield from _printed(place, list(call.args), call.node)
    elif node is not None and node.type in ("echo_statement", "print_intrinsic", "exit_statement") and node.children[0] == place.leaf:
        yield from _printed(place, _written(node), node)


def _short(place: Place, node: Node) -> Iterator[Hit]:
    """``<?= $_GET["name"] ?>``."""
    around_it = node.parent if node.parent is not None and node.parent.type == "text_interpolation" else node
    after = around_it.next_named_sibling
    if node.text == b"<?=" and after is not None and after.type == "expression_statement" and after.named_child_count:
        yield from _printed(place, _written(after), after)


def _built(place: Place, node: Node) -> Iterator[Hit]:
    """``$page .= "<b>" . $_GET["name"]``: a piece of a page that other code sends."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or left.type not in ("variable_name", "subscript_expression"):
        return
    value = place.flow.value(right)
    if not value.foreign or not value.built or not _TAG.search(value.prefix):
        return
    name = re.escape(place.speech.text.of(left))
    content = function_text(place, node)
    if re.search(
        rf"(?:echo|print|<\?=)[^;]{{0,200}}{name}(?![\w])|(?:mail|file_put_contents|fwrite|query|exec)\s*\([^;]{{0,200}}{name}(?![\w])",
        content,
    ):
        return
    found = judged(value, "html", FOREIGN)
    if found:
        yield Hit(node, found[0] + _doubt(place, right, found[1]), found[1])


def _redirected(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or call.name != "header" or call.receiver is not None or not call.args:
        return
    value = place.flow.value(call.args[0])
    if not _LOCATION.match(value.prefix) or _FIXED.match(value.prefix) or re.search(r"PHP_SELF|REQUEST_URI|HTTP_HOST", value.foreign):
        return
    found = judged(value, "url", FOREIGN)
    if found:
        yield Hit(call.node, found[0] + (LEAST if guarded(place, call.args[0]) else SURE), found[1])


def _fixed(place: Place, value: Value) -> bool:
    call = place.call
    if (
        call is not None
        and call.name in ("to", "away", "redirect")
        and re.search(r"request|route|view|form|link", call.path.rpartition(".")[0], re.IGNORECASE)
    ):
        return True
    if value.weak or (call is not None and any(based(place, node) for node in call.args[:1])):
        return True
    return bool(_FIXED.match(value.prefix)) or bool(re.search(r"PHP_SELF|REQUEST_URI|HTTP_HOST|^path$|^url$|^fullUrl$", value.foreign))


def _header(place: Place, value: Value) -> bool:
    del place
    return bool(_LOCATION.match(value.prefix)) or value.prefix.lower().startswith("access-control")


def _cookie(place: Place, call: Called) -> bool | int | None:
    """Without ``secure`` and ``httponly``; removing a cookie and frameworks' own wrappers are fine."""
    if len(call.args) < 2 or call.receiver is not None:
        return None
    if len(call.args) == 3 and isinstance(place.flow.resolved(call.args[2]), Gathered):
        on = [option(place, call, 2, key) for key in ("secure", "httponly")]
        flags = [node is not None and not is_false(place, node) for node in on]
    else:
        flags = [len(call.args) > at and not is_false(place, call.args[at]) for at in (5, 6)]
    value = text_of(place, call.args[1])
    expiry = place.speech.text.of(call.args[2]) if len(call.args) > 2 else ""
    if all(flags) or value in ("", "false", "null", "deleted") or re.search(r"time\(\)\s*-|\A1\Z|\A-", expiry):
        return None
    return SURE if _SESSION.search(argument(place, 0) or place.speech.text.of(call.args[0])) else LEAST


_COOKIE_SETTINGS = ("session.cookie_httponly", "session.cookie_secure", "session.use_only_cookies", "session.use_strict_mode")


def _cookie_setting(place: Place, call: Called) -> bool | int | None:
    name = argument(place, 0)
    if call.name == "session_set_cookie_params":
        flags = [len(call.args) > at and is_false(place, call.args[at]) for at in (3, 4)]
        if call.args and isinstance(place.flow.resolved(call.args[0]), Gathered):
            flags = [is_false(place, option(place, call, 0, key)) for key in ("secure", "httponly")]
        return any(flags) or None
    return True if name in _COOKIE_SETTINGS and is_false(place, call.args[1] if len(call.args) > 1 else None) else None


def _session(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is not None and call.receiver is None and call.args:
        found = judged(place.flow.value(call.args[0]), "session", FOREIGN)
        if found:
            yield Hit(call.node, found[0], found[1])


def _login(place: Place) -> Iterator[Hit]:
    """A login that keeps the session id: a user is put into the session after a check of a password, and nothing makes a new id."""
    call = place.call
    body = function_text(place, place.leaf)
    if call is None or call.receiver is not None or "session_regenerate_id" in body:
        return
    if re.search(r"\$_SESSION\s*\[\s*['\"](?:user|uid|login|logged|username|user_id|auth)\w*['\"]\s*\]\s*=", body, re.IGNORECASE):
        yield Hit(call.node)


def _origin(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or call.name not in ("header", "withHeader", "set", "setHeader", "addHeader") or not call.args:
        return
    parts = [place.flow.value(arg) for arg in call.args[:2]]
    written = "".join(part.prefix + ": " if len(parts) > 1 and part is parts[0] else part.prefix for part in parts)
    found = re.match(r"Access-Control-Allow-Origin\s*:\s*(\S*)", written, re.IGNORECASE)
    if found is None:
        return
    shares = re.search(rb"Allow-Credentials[\"']?\s*[:,]\s*[\"']?true", place.speech.text.content, re.IGNORECASE)
    if found[1] == "*":
        yield Hit(call.node, SURE if shares else LEAST)
    elif any(part.foreign for part in parts) and not any(guarded(place, arg) for arg in call.args):
        yield Hit(call.node, SURE if shares else LESS, next(part.foreign for part in parts if part.foreign))


def _errors(place: Place) -> Iterator[Hit]:
    """``die(mysqli_error($link))``: internal errors in the page."""
    node = around(place.leaf, "echo_statement", "print_intrinsic", "exit_statement", "function_call_expression", levels=14)
    while node is not None and node.type == "function_call_expression":
        what = node.child_by_field_name("function")
        if what is not None and place.speech.text.of(what) in ("die", "exit", "printf"):
            break
        node = (
            around(node.parent, "echo_statement", "print_intrinsic", "exit_statement", "function_call_expression", levels=10)
            if node.parent
            else None
        )
    if node is not None and place.call is not None:
        yield Hit(node)


def _log(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None:
        return
    direct = call.receiver is None and call.name in ("error_log", "syslog")
    if not direct and not re.search(r"(?:\A|\.)(?:log|logger|_logger|Log)\.\w+\Z", call.path, re.IGNORECASE):
        return
    if call.name == "error_log" and len(call.args) > 1 and text_of(place, call.args[1]) not in ("0", "3", "4"):
        return
    at = 1 if call.name == "syslog" else 0
    if len(call.args) > at:
        found = judged(place.flow.value(call.args[at]), "header", FOREIGN)
        if found:
            yield Hit(call.node, found[0], found[1])


def _csrf(place: Place) -> Iterator[Hit]:
    node: Node | None = around(place.leaf, "array_element_initializer", levels=3)
    if node is not None and node.named_child_count == 2 and text_of(place, node.named_children[1]) == "false":
        yield Hit(node)


_LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", "warn", "log")
RULES: tuple[Rule, ...] = (
    looked(
        "reply-html",
        ("echo", "print", "exit", *sorted(_PRINTS)),
        _reply,
        message="A value of the request is written into the page as it is.",
        advice="Pass it through `htmlspecialchars($value, ENT_QUOTES)` where it is written.",
    ),
    scanned(
        "reply-tag",
        "(php_tag) @node",
        _short,
        message="A value of the request is written into the page as it is.",
        advice="Write `<?= htmlspecialchars($value, ENT_QUOTES) ?>`.",
    ),
    scanned(
        "page-built",
        "[(assignment_expression) (augmented_assignment_expression)] @node",
        _built,
        message="A piece of a page is put together with a value of the request.",
        advice="Pass the value through `htmlspecialchars($value, ENT_QUOTES)` before it becomes part of the page.",
    ),
    looked(
        "redirect",
        ("header",),
        _redirected,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to paths of this site only (a leading `/` and no second one), or look the target up in a list.",
    ),
    into(
        "redirect-call",
        "url",
        {
            **dict.fromkeys(
                ("wp_redirect", "http_redirect", "redirect", "new RedirectResponse", "Redirect.to", "Redirect.away", "drupal_goto"), (0,)
            ),
            **{f"*.{name}": (0,) for name in ("redirect", "away", "withRedirect", "setRedirect", "redirectToUrl")},
            "redirect().to": (0,),
        },
        worth=FOREIGN,
        unless=_fixed,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to named routes or paths of this site only; WordPress has `wp_safe_redirect`.",
    ),
    into(
        "header-built",
        "header",
        {"header": (0,), "mail": (0, 3), "mb_send_mail": (0, 3)},
        worth=FOREIGN,
        unless=_header,
        message="A header is put together with a value of the request.",
        advice="Refuse values with line ends, and take what a header may say from a list.",
    ),
    called(
        "cookie-flags",
        ("setcookie", "setrawcookie"),
        _cookie,
        message="A cookie is set without its protections.",
        advice="Write `setcookie($name, $value, ['secure' => true, 'httponly' => true, 'samesite' => 'Lax'])`.",
    ),
    called(
        "cookie-unprotected",
        ("ini_set", "session_set_cookie_params"),
        _cookie_setting,
        message="A protection of the session's cookie is switched off.",
        advice="Set `session.cookie_secure`, `session.cookie_httponly`, `session.use_only_cookies` and `session.use_strict_mode` to 1.",
    ),
    looked(
        "session-chosen",
        ("session_id",),
        _session,
        message="A value of the request becomes the id of the session.",
        advice="Let PHP make the id, and call `session_regenerate_id(true)` after a login.",
    ),
    looked(
        "session-kept",
        ("password_verify",),
        _login,
        message="After the login the session keeps the id it had before.",
        advice="Call `session_regenerate_id(true)` once the password is right.",
    ),
    looked(
        "cors-any",
        ("header", "withHeader", "set", "setHeader", "addHeader"),
        _origin,
        message="Every site may ask and read the answer.",
        advice="Compare `$_SERVER['HTTP_ORIGIN']` with a list of origins, and answer with the one that is in it.",
    ),
    looked(
        "error-details",
        (
            *("mysqli_error", "mysql_error", "mysqli_connect_error", "pg_last_error", "pg_errormessage", "errorInfo", "getTraceAsString"),
            *("sqlsrv_errors", "oci_error", "odbc_errormsg"),
        ),
        _errors,
        message="Internal errors are written into the page.",
        advice="Log the error (`error_log`), and answer with a number under which it can be found.",
    ),
    looked(
        "log-built",
        ("error_log", "syslog", *_LEVELS),
        _log,
        message="A value of the request is part of a log record as it is.",
        advice="Hand it over as context (`$log->info('login', ['user' => $name])`), or remove line ends.",
    ),
    looked(
        "csrf-off",
        ("csrf_protection", "enableCsrfValidation"),
        _csrf,
        message="The protection against forged requests is switched off.",
        advice="Leave it on; exempt only what takes no cookie.",
    ),
)
