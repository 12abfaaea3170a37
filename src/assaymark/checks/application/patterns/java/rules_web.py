"""Pages, files, addresses, XML, cookies and the settings of web frameworks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.java.looks import annotation_at, around, method_text
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
)
from assaymark.checks.application.patterns.shapes import Called
from assaymark.checks.application.patterns.values import Value

_FIXED = re.compile(r"(?:redirect:)?(?:https?://[^/?#\s]+[/?#]|/(?![/\\])|[?#])", re.IGNORECASE)
_HOST = re.compile(r"\w+://[^/?#\s]+[/?#]|/|classpath:|file:|jar:", re.IGNORECASE)
_SESSION = re.compile(r"sess|sid\b|token|auth|jwt|remember|login", re.IGNORECASE)
_XML_SAFE = re.compile(
    r"disallow-doctype-decl|external-general-entities|ACCESS_EXTERNAL_(?:DTD|SCHEMA|STYLESHEET)|SUPPORT_DTD|IS_SUPPORTING_EXTERNAL_ENTITIES"
    r"|accessExternal(?:DTD|Schema|Stylesheet)|javax\.xml\.stream\.(?:supportDTD|isSupportingExternalEntities)"
    r"|setExpandEntityReferences\s*\(\s*false"
    r"|FEATURE_SECURE_PROCESSING|setEntityResolver|setXMLResolver"
)
_STAYS = re.compile(
    r"\.startsWith\s*\(|getCanonicalPath|normalize\s*\(\)|\.\.|FilenameUtils|isSubPath|newFile\(|checkEntry|zipSlip", re.IGNORECASE
)
_PAGES = re.compile(r"text/plain|application/json|application/octet-stream|MediaType\.(?:APPLICATION|TEXT_PLAIN)")


def _reply(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or not re.search(r"(?:getWriter\(\)|getOutputStream\(\)|PrintWriter|ServletOutputStream|JspWriter)\.\w+\Z", call.path):
        return
    if "System." in call.path or _PAGES.search(method_text(place, call.node)):
        return
    if re.match(r"(?:PrintWriter|ServletOutputStream)\b", call.path) and b"HttpServletResponse" not in place.speech.text.content:
        return
    for node in call.args:
        found = judged(place.flow.value(node), "html", FOREIGN)
        if found:
            yield Hit(call.node, found[0], found[1])
            return


def _fixed_host(place: Place, value: Value) -> bool:
    del place
    return bool(_HOST.match(value.prefix))


def _fixed_target(place: Place, value: Value) -> bool:
    del place
    return bool(_FIXED.match(value.prefix))


def _view(place: Place) -> Iterator[Hit]:
    """``return "redirect:" + value`` of a controller."""
    statement = around(place.leaf, "return_statement", "object_creation_expression", levels=8)
    if statement is None or not statement.named_child_count:
        return
    node = statement.named_children[0]
    if statement.type == "object_creation_expression":
        arguments = statement.child_by_field_name("arguments")
        if arguments is None or not arguments.named_child_count:
            return
        node = arguments.named_children[0]
    value = place.flow.value(node)
    if value.prefix.startswith(("redirect:", "forward:")) and not _FIXED.match(value.prefix):
        found = judged(value, "url", FOREIGN)
        if found:
            yield Hit(statement, found[0], found[1])


def _entry_path(place: Place, call: Called) -> bool | int | None:
    body = method_text(place, call.node)
    written = " ".join(place.speech.text.of(arg) for arg in call.args)
    if re.search(r"\.getName\(\)", written) is None:
        names = [n for n in re.findall(r"\b[a-z]\w*\b", written) if re.search(rf"\b{n}\s*=\s*[^;\n]*[eE]ntry\w*\.getName\(\)", body)]
        if not names:
            return None
    elif re.search(r"[eE]ntry\w*\.getName\(\)|\b(?:ze|te|zipEntry)\.getName\(\)", written) is None:
        return None
    if not re.search(r"Zip|Tar|Jar|Archive", body + place.speech.text.content[:4_000].decode("utf-8", "replace")):
        return None
    return None if _STAYS.search(body) else LESS


def _xml(place: Place, call: Called) -> bool | int | None:
    body = method_text(place, call.node)
    if _XML_SAFE.search(body):
        return None
    return LEAST if _XML_SAFE.search(place.speech.text.content.decode("utf-8", "replace")) else SURE


def _cookie_off(place: Place, call: Called) -> bool | int | None:
    if argument(place, 0) != "false":
        return None
    return SURE if re.search(r"[cC]ookie", call.path + method_text(place, call.node)[:3_000]) else None


def _cookie_made(place: Place, call: Called) -> bool | int | None:
    if len(call.args) < 2:
        return None
    body = method_text(place, call.node)
    if re.search(r"setMaxAge\s*\(\s*0\s*\)", body) or "addCookie" not in body:
        return None
    if re.search(r"\.setSecure\s*\(", body) and re.search(r"\.setHttpOnly\s*\(", body):
        return None
    return SURE if _SESSION.search(argument(place, 0) or "") else LESS


def _csrf(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or call.name != "csrf":
        return
    parent = call.node.parent
    name = parent.child_by_field_name("name") if parent is not None and parent.type == "method_invocation" else None
    written = " ".join(place.speech.text.of(arg) for arg in call.args)
    if (name is not None and place.speech.text.of(name) == "disable" and not call.args) or re.search(
        r"::\s*disable\b|\.disable\(\)", written
    ):
        stateless = b"STATELESS" in place.speech.text.content
        yield Hit(call.node, LEAST if stateless else SURE)


def _everybody(place: Place, call: Called) -> bool | int | None:
    receiver = place.speech.text.of(call.receiver) if call.receiver is not None else ""
    last = receiver[-200:]
    if re.search(r"anyRequest\(\)\s*\Z", last):
        return SURE
    return SURE if re.search(r'(?:antMatchers|requestMatchers|mvcMatchers)\(\s*"/\*\*"\s*\)\s*\Z', last) else None


def _origins(place: Place, call: Called) -> bool | int | None:
    written = place.speech.text.of(call.node)[-400:]
    if not re.search(r'"\*"', " ".join(place.speech.text.of(arg) for arg in call.args)) or not written:
        return None
    return SURE if re.search(r"allowCredentials\s*\(\s*true|setAllowCredentials\s*\(\s*true", method_text(place, call.node)) else LEAST


def _cross_origin(place: Place) -> Iterator[Hit]:
    annotation = annotation_at(place.leaf)
    if annotation is not None and (annotation.type == "marker_annotation" or re.search(r'"\*"', place.speech.text.of(annotation))):
        yield Hit(annotation, SURE if "allowCredentials" in place.speech.text.of(annotation) else LEAST)


def _debug(place: Place) -> Iterator[Hit]:
    annotation = annotation_at(place.leaf)
    if annotation is not None and re.search(r"\bdebug\s*=\s*true", place.speech.text.of(annotation)):
        yield Hit(annotation)


def _stack(place: Place, call: Called) -> bool | int | None:
    written = " ".join(place.speech.text.of(arg) for arg in call.args)
    if not written:
        return None
    named_writer = re.fullmatch(r"\w+", written) and re.search(rf"\b{written}\s*=\s*\w+\.getWriter\(\)", method_text(place, call.node))
    return SURE if re.search(r"\.getWriter\(\)|\.getOutputStream\(\)", written) or named_writer else None


def _session(place: Place, call: Called) -> bool | int | None:
    if not re.search(r"(?:HttpSession|[sS]ession(?:\(\w*\))?|getSession\(\))\.\w+\Z", call.path):
        return None
    for node in call.args[:2]:
        found = judged(place.flow.value(node), "trust", FOREIGN)
        if found:
            return found[0]
    return None


_REST = ("getForObject", "getForEntity", "postForObject", "postForEntity", "exchange", "execute", "put", "delete", "headForHeaders")
_FILE_UTILS = (
    "readFileToString",
    "writeStringToFile",
    "openInputStream",
    "openOutputStream",
    "copyFile",
    "deleteQuietly",
    "forceDelete",
    "readLines",
    "getFile",
)
_STAY = "Resolve the path and check that it still begins with the folder (`root.resolve(name).normalize().startsWith(root)`)."
_ONE = (
    "FileInputStream",
    "FileOutputStream",
    "FileReader",
    "FileWriter",
    "RandomAccessFile",
    "PrintWriter",
    "FileSystemResource",
    "ZipFile",
    "UrlResource",
)
_FILES = (
    "readAllBytes", "readString", "readAllLines", "lines", "newInputStream", "newBufferedReader", "write", "writeString",
    "newOutputStream", "newBufferedWriter", "delete", "deleteIfExists", "copy", "move", "createFile", "createDirectories",
    "list", "walk", "exists",
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    looked(
        "reply-html",
        ("write", "print", "println", "printf", "format", "append"),
        _reply,
        message="A value of the request is written into the page.",
        advice="Escape it for its place (`Encode.forHtml(value)`, `HtmlUtils.htmlEscape`), or let a template engine write it.",
    ),
    into(
        "file-path",
        "path",
        {"new File": (-1,), "Paths.get": (-1,), "Path.of": (-1,), "*.getRealPath": ()}
        | {f"new {name}": (0,) for name in _ONE}
        | {f"Files.{name}": (0, 1) for name in _FILES}
        | {
            "*.getResourceAsStream": (0,),
            "*.transferTo": (0,),
            **{f"FileUtils.{name}": (0,) for name in _FILE_UTILS},
            "ResourceUtils.getFile": (0,),
        },
        worth=FOREIGN,
        message="The path of a file is made of a value of the request.",
        advice=_STAY,
    ),
    called(
        "archive-entry",
        ("new File", "*.resolve", "Paths.get", "Path.of", "new FileOutputStream"),
        _entry_path,
        message="A file is written under the name that an archive gives it.",
        advice=_STAY,
    ),
    into(
        "server-request",
        "url",
        {
            "new URL": (0,),
            "HttpRequest.newBuilder": (0,),
            "HttpRequest.newBuilder().uri": (0,),
            "new HttpGet": (0,),
            "new HttpPost": (0,),
            "new HttpPut": (0,),
            "new HttpHead": (0,),
            "new HttpDelete": (0,),
            "Jsoup.connect": (0,),
            **{f"RestTemplate*.{name}": (0,) for name in _REST},
            "WebClient*.uri": (0,),
            "RestClient*.uri": (0,),
            "*Request.Builder().url": (0,),
            "Request.Get": (0,),
            "Request.Post": (0,),
            "ImageIO.read": (0,),
            "WebClient.create": (0,),
            "new InetSocketAddress": (0,),
            "new Socket": (0,),
        },
        worth=FOREIGN,
        unless=_fixed_host,
        message="A request goes to an address that a value of the request chooses.",
        advice="Take the address from a list in the program, or compare scheme and host with one; refuse private networks after resolving.",
    ),
    into(
        "redirect",
        "url",
        {
            "*.sendRedirect": (0,),
            "new RedirectView": (0,),
            "Response.seeOther": (0,),
            "Response.temporaryRedirect": (0,),
            "*.redirect": (0,),
        },
        worth=FOREIGN,
        unless=_fixed_target,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to paths of this site only (a leading `/` and no second one), or look the target up in a list.",
    ),
    looked(
        "redirect-view",
        ("redirect", "forward"),
        _view,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to paths of this site only, or look the target up in a list.",
    ),
    called(
        "xml-entities",
        (
            "DocumentBuilderFactory.newInstance",
            "DocumentBuilderFactory.newDefaultInstance",
            "SAXParserFactory.newInstance",
            "SAXParserFactory.newDefaultInstance",
            "XMLInputFactory.newInstance",
            "XMLInputFactory.newFactory",
            "XMLReaderFactory.createXMLReader",
            "new SAXBuilder",
            "new SAXReader",
            "new DOMParser",
            "new SAXParser",
        ),
        _xml,
        message="An XML parser is made that follows entities of the document.",
        advice="Set the feature `http://apache.org/xml/features/disallow-doctype-decl` to true (XMLInputFactory: SUPPORT_DTD to false).",
    ),
    called(
        "xml-transformer",
        ("TransformerFactory.newInstance", "SAXTransformerFactory.newInstance", "SchemaFactory.newInstance"),
        _xml,
        message="Style sheets or schemas may load what the document names.",
        advice="Set ACCESS_EXTERNAL_DTD and ACCESS_EXTERNAL_STYLESHEET (or _SCHEMA) to the empty text.",
    ),
    called(
        "cookie-unprotected",
        ("*.setSecure", "*.setHttpOnly", "*.secure", "*.httpOnly"),
        _cookie_off,
        message="A cookie is set without its protections.",
        advice="Call `setSecure(true)` and `setHttpOnly(true)`.",
    ),
    called(
        "cookie-flags",
        ("new Cookie",),
        _cookie_made,
        message="A cookie is made and sent without its protections.",
        advice="Call `setSecure(true)` and `setHttpOnly(true)`, and set SameSite.",
    ),
    looked(
        "csrf-off",
        ("csrf",),
        _csrf,
        message="The protection against forged requests is switched off.",
        advice="Leave it on; exempt only paths that take no cookie, by `ignoringRequestMatchers`.",
    ),
    called(
        "everybody-permitted",
        ("*.permitAll",),
        _everybody,
        message="Every request is permitted, whoever sends it.",
        advice="End the rules with `anyRequest().authenticated()` and permit named paths.",
    ),
    called(
        "cors-any",
        ("*.allowedOrigins", "*.allowedOriginPatterns", "*.setAllowedOrigins", "*.addAllowedOrigin", "*.addAllowedOriginPattern"),
        _origins,
        message="Every site may ask and read the answer.",
        advice="Name the origins in a list.",
    ),
    looked(
        "cross-origin-any",
        ("CrossOrigin",),
        _cross_origin,
        message="Every site may ask and read the answer.",
        advice='Name the origins: `@CrossOrigin(origins = "https://shop.example.org")`.',
    ),
    looked(
        "web-debug",
        ("EnableWebSecurity",),
        _debug,
        message="The debug mode of the security filters prints requests with their secrets.",
        advice="Remove `debug = true`.",
    ),
    called(
        "error-details",
        ("*.printStackTrace",),
        _stack,
        message="The stack of an error is sent to the client.",
        advice="Log the error, and answer with a number under which it can be found.",
    ),
    called(
        "session-attribute",
        ("*.setAttribute", "*.putValue"),
        _session,
        message="A value of the request is kept in the session, where it looks trusted.",
        advice="Check the value against what is expected before it is kept.",
    ),
)
