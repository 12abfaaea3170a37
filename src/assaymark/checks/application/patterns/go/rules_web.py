"""Pages, files, archives, addresses, cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.go.looks import entries, field_set, function_text, of_type, set_later, speech_of, watched
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
    into,
    judged,
    looked,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_WRITER = "net/http.ResponseWriter"
_OTHER_TYPE = re.compile(
    r"Content-Type\"\s*[,)\]=]+\s*(?:\[\]string\{)?\s*[\"`](?!text/html)|contentType(?:JSON|Plain|Text)|application/json|text/plain|attachment",
    re.IGNORECASE,
)
_FIXED = re.compile(r"(?:https?://[^/?#\s]+[/?#]|/(?![/\\]|$)|/$|[?#]|\.{0,2}/\w)", re.IGNORECASE)
_HOST = re.compile(r"\w+://[^/?#\s]+[/?#]|/")
_SESSION = re.compile(r"sess|sid\b|token|auth|jwt|remember|login|csrf|xsrf|identity", re.IGNORECASE)
_ENTRY_CHECKED = re.compile(
    r"HasPrefix\s*\(|IsLocal\s*\(|Contains\s*\([^)]*\.\.|filepath\.Rel\s*\(|path\.Base\s*\(|filepath\.Base\s*\(|SecureJoin|ErrInsecurePath"
    r"|ValidPath\s*\(|[sS]anitize\w*\s*\(|[sS]afe\w*\s*\(|[oO]utside\w*\s*\("
)
_WRITES = re.compile(r"\b(?:os\.(?:Create|OpenFile|WriteFile|Mkdir|MkdirAll|Symlink)|ioutil\.WriteFile)\s*\(|\bwrite\w*\(|\.Write\w*\(")
_OPENING = ("Open", "OpenFile", "Create", "ReadFile", "WriteFile", "ReadDir", "Remove", "RemoveAll", "Mkdir", "MkdirAll", "Rename",
            "Symlink", "Link", "Truncate", "Chmod", "DirFS")  # fmt: skip


def _reply(place: Place) -> Iterator[Hit]:
    """Foreign text into the page, unless the reply is declared to be none."""
    call = place.call
    if call is None:
        return
    value = _written(place, call)
    found = judged(value, "html", FOREIGN) if value is not None else None
    if value is None or found is None:
        return
    body = function_text(place, call.node)
    if _OTHER_TYPE.search(body) and "text/html" not in body:
        return
    page = value.prefix.lstrip().startswith("<") or "text/html" in body or re.search(r"[\"`]\s*<[a-zA-Z!]", body)
    yield Hit(call.node, found[0] + (SURE if page or not value.prefix.strip() else LEAST), found[1])


def _written(place: Place, call: Called) -> Value | None:
    """What a call writes to the client, or None."""
    speech = speech_of(place)
    if call.path in ("fmt.Fprintf", "fmt.Fprint", "fmt.Fprintln", "io.WriteString"):
        return place.flow.value(call.node) if call.args and speech.path(call.args[0]) == _WRITER else None
    if re.fullmatch(rf"{re.escape(_WRITER)}\.Write(?:String)?", call.path) and call.args:
        return place.flow.value(call.args[0])
    if re.fullmatch(r".*/echo\.Context\.(?:HTML|HTMLBlob)", call.path) and len(call.args) == 2:
        return place.flow.value(call.args[1])
    if re.fullmatch(r".*/gin\.Context\.Data", call.path) and len(call.args) == 3:
        return place.flow.value(call.args[2]) if "html" in (text_of(place, call.args[1]) or "") else None
    return None


def _trusted(place: Place, value: Value) -> bool:
    """``template.JS`` and the like of html/template; what was marshalled to JSON is no script."""
    del value
    return place.call is None or "/template." not in place.call.path


def _text_template(place: Place, call: Called) -> bool | int | None:
    """``text/template`` writes pages without escaping."""
    speech = speech_of(place)
    if not call.args or "text/template" not in call.path or speech.path(call.args[0]) != _WRITER:
        return None
    body = function_text(place, call.node)
    if _OTHER_TYPE.search(body) and "text/html" not in body:
        return None
    return SURE if "text/html" in body or any(place.flow.value(arg).foreign for arg in call.args[1:]) else LESS


def _no_path(place: Place, value: Value) -> bool:
    """What a served file's name is after ``http.Dir`` needs no check."""
    call = place.call
    return call is None or (value.foreign.endswith("FileHeader") and call.name != "Open")


def _entry(place: Place) -> Iterator[Hit]:
    """``filepath.Join(to, entry.Name)`` of an archive."""
    call = place.call
    if call is None or not re.fullmatch(r"(?:path/filepath|path)\.Join|os\.(?:Create|OpenFile|MkdirAll|Mkdir|WriteFile)", call.path):
        return
    speech = speech_of(place)
    for arg in call.args:
        value = place.flow.resolved(arg)
        written = speech.path(arg)
        names = re.fullmatch(
            r"archive/(?:zip|tar)\.\w+(?:\(\))?(?:\.(?:File|Next\(\)|Reader|FileHeader|Header|ReadCloser))*\.Name", written
        )
        if names and not isinstance(value, Called):
            if not _ENTRY_CHECKED.search(function_text(place, call.node)):
                yield Hit(call.node, SURE if _WRITES.search(function_text(place, call.node)) else LEAST)
            return


def _address(place: Place, value: Value) -> bool:
    del place
    return bool(_HOST.match(value.prefix))


def _redirected(place: Place, value: Value) -> bool:
    del place
    return bool(_FIXED.match(value.prefix)) or bool(
        re.search(r"Request\.(?:URL(?:\.(?:Path|RawPath|RawQuery|String|RequestURI|EscapedPath))?|RequestURI|Referer)$", value.foreign)
    )


def _cookie(place: Place, call: Called) -> bool | int | None:
    """``http.Cookie`` without Secure or HttpOnly, for a cookie that is worth it; one that is deleted is none."""
    rows = entries(place, call.node)
    name = place.speech.text.of(rows["Name"]) if "Name" in rows else ""
    constant = text_of(place, rows["Name"]) if "Name" in rows else None
    if "Name" not in rows or _is_deleted(place, rows):
        return None
    wrong = [field for field in ("Secure", "HttpOnly") if _off(place, call, rows, field)]
    if not wrong:
        return None
    return SURE if _SESSION.search(constant or name) else LESS


def _is_deleted(place: Place, rows: dict[str, Node]) -> bool:
    texts = {field: place.speech.text.of(rows[field]) for field in ("MaxAge", "Value", "Expires") if field in rows}
    return texts.get("MaxAge", "").startswith("-") or texts.get("Value") in ('""', "``") or "Unix(0" in texts.get("Expires", "")


def _off(place: Place, call: Called, rows: dict[str, Node], field: str) -> bool:
    if field not in rows:
        return not set_later(place, call.node, field)
    return text_of(place, rows[field]) == "false"


def _cookie_call(place: Place, call: Called) -> bool | int | None:
    """The ``SetCookie(name, value, maxAge, path, domain, secure, httpOnly)``."""
    if len(call.args) != 7 or (text_of(place, call.args[2]) or "").startswith("-"):
        return None
    if "false" not in (text_of(place, call.args[5]), text_of(place, call.args[6])):
        return None
    return SURE if _SESSION.search(text_of(place, call.args[0]) or place.speech.text.of(call.args[0])) else LESS


def _session_options(place: Place) -> Iterator[Hit]:
    """``Secure: false`` or ``HttpOnly: false`` of a session or CSRF library."""
    for setting, value in field_set(place):
        if (
            text_of(place, value) == "false"
            and re.search(r"[sS]ession|Cookie|csrf", of_type(place))
            and not of_type(place).endswith("http.Cookie")
        ):
            yield Hit(setting)


def _protection_off(place: Place, call: Called) -> bool | int | None:
    """``csrf.Secure(false)``."""
    del call
    return SURE if argument(place, 0) == "false" else None


RULES: tuple[Rule, ...] = (
    looked(
        "reply-html",
        ("Fprintf", "Fprint", "Fprintln", "WriteString", "Write", "HTML", "HTMLBlob", "Data"),
        _reply,
        message="A value of the request is written into the page unescaped.",
        advice="Use `html/template`, or `html.EscapeString(value)`; set `Content-Type` to text/plain or JSON where it is no page.",
    ),
    into(
        "trusted-html",
        "html",
        {f"*template.{name}": (0,) for name in ("HTML", "JS", "JSStr", "URL", "CSS", "HTMLAttr", "Srcset")},
        worth=FOREIGN,
        unless=_trusted,
        message="A value of the request is marked as safe, so that the template does not escape it.",
        advice="Hand the text itself to the template; clean markup that must stay with a sanitiser such as bluemonday.",
    ),
    called(
        "text-template-page",
        ("*.Execute", "*.ExecuteTemplate"),
        _text_template,
        message="A page is made with `text/template`, which escapes nothing.",
        advice="Import `html/template` instead; it has the same functions.",
    ),
    watched(
        into(
            "file-path",
            "path",
            {
                **{f"os.{name}": (0,) for name in _OPENING},
                "os.Rename": (0, 1),
                **{f"io/ioutil.{name}": (0,) for name in ("ReadFile", "WriteFile", "ReadDir")},
                "net/http.ServeFile": (2,),
                "*/gin.Context.File": (0,),
                "*/gin.Context.FileAttachment": (0,),
                "*/gin.Context.SaveUploadedFile": (1,),
                "*/echo.Context.File": (0,),
                "*/echo.Context.Attachment": (0,),
                "*/echo.Context.Inline": (0,),
                "*/fiber.Ctx.SendFile": (0,),
                "*/fiber.Ctx.Download": (0,),
                "*/fiber.Ctx.SaveFile": (1,),
                "*template.ParseFiles": (-1,),
            },
            worth=FOREIGN,
            unless=_no_path,
            message="A file is named by the request.",
            advice="Open it below `os.OpenRoot`, or refuse it unless `filepath.IsLocal(name)`; `filepath.Clean` alone does not protect.",
        )
    ),
    looked(
        "archive-entry",
        ("Join", "Create", "OpenFile", "MkdirAll", "Mkdir", "WriteFile"),
        _entry,
        message="A file is written under the name that the archive gives.",
        advice="Refuse the entry unless `filepath.IsLocal(entry.Name)`, or write below `os.OpenRoot`.",
    ),
    watched(
        into(
            "server-request",
            "url",
            {
                **{f"net/http.{name}": (0,) for name in ("Get", "Post", "PostForm", "Head")},
                "net/http.NewRequest": (1,),
                "net/http.NewRequestWithContext": (2,),
                **{f"net/http.Client*.{name}": (0,) for name in ("Get", "Post", "PostForm", "Head")},
                **{f"net/http.DefaultClient.{name}": (0,) for name in ("Get", "Post", "PostForm", "Head")},
                "net.Dial": (1,),
                "net.DialTimeout": (1,),
                "crypto/tls.Dial": (1,),
                "net/http/httputil.NewSingleHostReverseProxy": (0,),
                "*websocket*.Dial": (0,),
                "*resty*.R().Get": (0,),
                "*resty*.R().Post": (0,),
            },
            worth=FOREIGN,
            unless=_address,
            message="The program asks an address that the request chooses.",
            advice="Choose the host from a table in the program; let the dialer's `Control` refuse private addresses.",
        )
    ),
    watched(
        into(
            "redirect",
            "redirect",
            {
                "net/http.Redirect": (2,),
                "net/http.RedirectHandler": (0,),
                "*/gin.Context.Redirect": (1,),
                "*/echo.Context.Redirect": (1,),
                "*/fiber.Ctx.Redirect": (0,),
                "*/fiber.Ctx.Redirect().To": (0,),
            },
            worth=FOREIGN,
            unless=_redirected,
            message="The request chooses where the browser is sent.",
            advice="Redirect to paths of a table, or refuse what has a host after `url.Parse` or begins with `//` or `/\\\\`.",
        )
    ),
    called(
        "cookie-flags",
        ("new net/http.Cookie",),
        _cookie,
        message="A cookie is made without its protections.",
        advice="Set `Secure: true`, `HttpOnly: true` and `SameSite: http.SameSiteLaxMode`.",
    ),
    called(
        "cookie-call",
        ("*/gin.Context.SetCookie",),
        _cookie_call,
        message="A cookie is set without its protections.",
        advice="Give `true` for secure and httpOnly, and call `SetSameSite` before.",
    ),
    looked(
        "session-options",
        ("Secure", "HttpOnly", "CookieSecure", "CookieHTTPOnly", "CookieHttpOnly"),
        _session_options,
        message="The cookie of the session goes without its protections.",
        advice="Set `Secure` and `HttpOnly` to true.",
    ),
    called(
        "csrf-cookie",
        ("*csrf.Secure", "*csrf.HttpOnly"),
        _protection_off,
        message="The cookie against forged requests goes without its protections.",
        advice="Leave the option out; it is on by default.",
    ),
)
