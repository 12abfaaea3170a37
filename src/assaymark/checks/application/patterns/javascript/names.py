"""Names that JavaScript programs get foreign text from, and those that make it harmless. Facts about libraries, no code."""

from __future__ import annotations

import re

SOURCES = re.compile(
    r"""(?x)
    (?: (?:req|_req|this\.req|ctx\.req|ctx\.request|context\.req|context\.request|this\.request|ctx)
        \.(?:query|params|body|headers?|cookies|signedCookies|url|originalUrl|hostname|querystring|rawBody|files?|get|param|search)
      | request\.(?:query|params|body|headers|cookies|signedCookies|originalUrl|hostname|querystring|payload|rawBody|files?)
      | event\.(?:queryStringParameters|multiValueQueryStringParameters|pathParameters|rawQueryString|body)
      | (?:req|request)\.nextUrl
      | (?:window\.|document\.|self\.|top\.|parent\.|globalThis\.)*location\.(?:hash|search|href|pathname)
      | (?:window\.)?document\.(?:URL|documentURI|baseURI|referrer|cookie)
      | window\.name
      | react-router-dom\.(?:useParams|useSearchParams) | next/router\.useRouter\(\)\.query
    )(?![\w$])"""
)
"""Matched against dotted paths from their beginning."""
FROM_REQUEST = re.compile(r"@(?:Query|Param|Body|Headers|QueryParam|PathParam|BodyParam|HeaderParam|CookieParam|UploadedFile|Cookies)\b")
"""Decorators by which frameworks fill parameters from the request."""
BROWSER = re.compile(r"(?:window|document|self|top|parent|globalThis|location)\b")

_ALL = frozenset({"*"})


def _row(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    return re.compile(rf"(?:{pattern})"), frozenset(kinds)


CLEANERS = (
    _row(
        r"parseInt|parseFloat|Number|Boolean|BigInt|isNaN|Number\.\w+|Math\.\w+|Date\.(?:now|parse)|Date|crypto\.\w+|.*\.digest|uuid.*"
        r"|.*\.(?:indexOf|lastIndexOf|includes|startsWith|endsWith|has|test|every|some|toFixed|getTime|localeCompare)"
        r"|(?:.*\.)?ObjectI[dD](?:\.\w+)?|bcrypt(?:js)?\.\w+|argon2\.\w+|Object\.keys\(\)\.length",
        "*",
    ),
    _row(r"encodeURIComponent|querystring\.(?:escape|stringify)|qs\.stringify|URLSearchParams\(\)\.toString", "html", "url", "path"),
    _row(r"encodeURI", "html"),
    _row(
        r"(?:.*[./])?(?:escapeHtml|escapeHTML|escape-html|htmlEscape|htmlescape|encodeHTML|encodeHtml|html-entities\.\w+|sanitize-html"
        r"|sanitizeHtml|sanitizeHTML|sanitize|purify|xss|he\.(?:encode|escape)|entities\.\w+|escapeXml|stripTags|striptags|markdown-it)",
        "html",
    ),
    _row(
        r"(?:mysql2?|sqlstring|SqlString|.*\b(?:conn|connection|pool|db|client))"
        r"\.(?:escape|escapeId|escapeIdentifier|escapeLiteral|format)",
        "sql",
    ),
    _row(r"(?:lodash|_|underscore|validator|Handlebars)\.escape(?:Expression)?|escape", "html"),
    _row(r"pg-format(?:\.\w+)?", "sql"),
    _row(r"(?:path|path/posix|path\.posix|path\.win32|upath)\.basename|sanitize-filename|(?:.*\.)?sanitizeFilename", "path"),
    _row(r"shell-quote\.quote|shell-escape|shellescape|(?:.*\.)?(?:shellQuote|shellEscape|escapeShell\w*)|shlex\.quote", "shell"),
    _row(
        r"(?:lodash|_)\.escapeRegExp|escape-string-regexp|(?:.*\.)?(?:escapeRegExp|escapeRegex|escapeStringRegexp)|RegExp\.escape", "regex"
    ),
    _row(r"JSON\.stringify", "code", "nosql"),
    _row(r"String", "nosql"),
    _row(r"(?:express-)?mongo-sanitize(?:\.\w+)?", "nosql"),
)
"""Tried in order, against the whole path."""

CARRIERS = re.compile(
    r"String|decodeURIComponent|decodeURI|unescape|atob|btoa|JSON\.parse|Object\.(?:assign|values|entries|fromEntries|create)"
    r"|(?:path|path/posix|path\.posix|path\.win32|upath)\.(?:join|resolve|normalize|format|relative|dirname)|util\.format"
    r"|Buffer\.from|Buffer"
    r"|Array\.(?:from|of)|Promise\.(?:resolve|all)|url\.(?:parse|resolve|format)|URL|URLSearchParams|(?:querystring|qs)\.parse|structuredClone"
    r"|(?:lodash|_)\.(?:get|merge|assign|template|trim|pick|omit|cloneDeep|toString)|express\.\w+"
)
METHODS_THAT_CARRY = frozenset({"concat"})
KEEPS = frozenset({
    "trim", "trimStart", "trimEnd", "slice", "substring", "substr", "toString", "toLowerCase", "toUpperCase", "padStart", "padEnd",
    "repeat", "split", "map", "filter", "pop", "shift", "at", "charAt", "normalize", "valueOf", "match", "reverse", "sort", "flat", "find",
    "text",    "toLocaleString", "entries", "values", "get",
})  # fmt: skip
"""Methods whose result is what they are called on, perhaps less of it."""
TEXT_METHODS = KEEPS - {
    "pop",
    "shift",
    "at",
    "reverse",
    "sort",
    "flat",
    "find",
    "text",
    "entries",
    "values",
    "get",
    "map",
    "filter",
    "valueOf",
}
"""Those that only text has: what they give is no object."""
FILTERS = re.compile(
    r"valid|sanit|escap|encod|clean|filter|check|allow|verif|quote|hash|strip|safe|normali|whitelist|isIn|lookup|find|get[A-Z]",
    re.IGNORECASE,
)
"""Names of unknown functions that may make their argument harmless, or that look something up by it."""
