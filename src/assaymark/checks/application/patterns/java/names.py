"""Names that Java programs get foreign text from, and those that make it harmless. Facts about libraries, no code."""

from __future__ import annotations

import re

SOURCES = re.compile(
    r"""(?x)
    (?: \w*Request(?:\(\))? \. (?:get\w*Parameter(?:s|Values|Map|Names)? | getHeaders? | getHeaderNames | getQueryString | getCookies
        | getInputStream
        | getReader | getRequestURI | getRequestURL | getPathInfo | getPathTranslated | getParts? | getQueryParams | getBody)
      | ServletRequestUtils\.get\w+ | WebUtils\.getCookie
      | Cookie\.getValue | MultipartFile\.getOriginalFilename | Part\.getSubmittedFileName | FileItem\.getName
      | HttpExchange\.(?:getRequestURI|getRequestBody|getRequestHeaders) | RoutingContext\.(?:pathParam|queryParam|getBodyAsString)
      | (?:Context|ctx)\.(?:queryParam|formParam|pathParam|body|header|queryParams|formParams)
    )"""
)
"""Matched against the whole path of a call; a variable stands there as its type."""
FROM_REQUEST = frozenset({
    "RequestParam", "PathVariable", "RequestBody", "RequestHeader", "CookieValue", "ModelAttribute", "MatrixVariable", "RequestPart",
    "QueryParam", "PathParam", "FormParam", "HeaderParam", "CookieParam", "BeanParam", "MatrixParam", "RestQuery", "RestPath",
})  # fmt: skip
"""Annotations by which frameworks fill parameters from the request."""
HARMLESS = frozenset({
    "int", "long", "short", "byte", "double", "float", "boolean", "Integer", "Long", "Short", "Byte", "Double", "Float", "Boolean",
    "BigInteger", "BigDecimal", "UUID", "LocalDate", "LocalDateTime", "Instant", "Date", "Duration",
})  # fmt: skip


def _row(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    return re.compile(rf"(?:{pattern})"), frozenset(kinds)


CLEANERS = (
    _row(
        r"(?:Integer|Long|Short|Double|Float|Boolean|Byte)\.\w+|UUID\.fromString|BigInteger|BigDecimal|LocalDate\.parse|\w+\.valueOf"
        r"|.*\.(?:length|size|indexOf|lastIndexOf|equals|equalsIgnoreCase|contains|startsWith|endsWith|isEmpty|hashCode|matches|compareTo"
        r"|isBlank|containsKey|getTime|ordinal)|MessageDigest.*\.digest|.*\.(?:doFinal|getClass|getContentType|getSize)",
        "*",
    ),
    _row(
        r"(?:.*\.)?(?:htmlEscape\w*|escapeHtml\w*|escapeXml\w*|encodeForHTML\w*|encodeForJavaScript|encodeForXML\w*|forHtml\w*"
        r"|forJavaScript\w*|forXml\w*|forCDATA|sanitize|clean)",
        "html",
    ),
    _row(r"(?:.*\.)?(?:encodeForSQL|escapeSql)", "sql"),
    _row(r"(?:.*\.)?(?:encodeForLDAP|encodeForDN|escapeLDAP\w*|filterEncode|nameEncode)", "ldap"),
    _row(r"(?:.*\.)?encodeForXPath", "xpath"),
    _row(r"(?:.*\.)?encodeForOS", "shell"),
    _row(r"URLEncoder\.encode|UriUtils\.encode\w*|(?:.*\.)?(?:encodeForURL|forUriComponent)", "url", "html", "path"),
    _row(r"FilenameUtils\.getName|Path.*\.getFileName|StringUtils\.getFilename", "path"),
    _row(r"Pattern\.quote", "regex"),
)
CARRIERS = re.compile(
    r"String(?:\.(?:valueOf|format|join|copyValueOf))?|StringBuilder|StringBuffer|StringJoiner|URLDecoder\.decode|URI\.create|URI|URL"
    r"|Base64\.\w+"
    r"|Base64\.get\w+\(\)\.\w+|Paths\.get|Path\.of|File|Arrays\.asList|List\.of|Set\.of|Map\.of|Collections\.\w+|Objects\.\w+"
    r"|Optional\.of(?:Nullable)?"
    r"|StringReader|ByteArrayInputStream|InputStreamReader|BufferedReader|InputSource|StreamSource|FileInputStream"
    r"|MessageFormat\.format|ArrayList"
    r"|StringUtils\.\w+|.*\.(?:append|concat|formatted|resolve|relativize)|IOUtils\.toString|HtmlUtils\.htmlUnescape"
)
FILTERS = re.compile(
    r"valid|sanit|escap|encod|clean|filter|check|allow|verif|quote|hash|strip|safe|normali|whitelist|lookup|find|load|resolve",
    re.IGNORECASE,
)
KEEPS = frozenset({
    "toString", "trim", "strip", "substring", "toLowerCase", "toUpperCase", "intern", "getBytes", "toCharArray", "split", "subSequence",
    "stripLeading", "stripTrailing", "indent", "repeat", "stripIndent", "translateEscapes", "normalize", "toPath", "toFile", "toUri",
    "toAbsolutePath", "orElse", "orElseThrow", "get", "stream", "iterator", "next", "reverse", "build",
})  # fmt: skip
"""Methods whose result is what they are called on, perhaps less of it."""
GROWS = frozenset({"append", "insert", "add", "addAll", "put", "putAll", "push", "offer", "addFirst", "addLast"})
