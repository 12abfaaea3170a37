"""Which members of a tree are Apache's, and their directives.

Any file of a tree may be included, so any ``.conf`` is given. Guarantees that a file is left out only when nothing in it reads as Apache's,
and that one which can't be read is a `Gap` when its name says Apache, or when a file of Apache's includes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.checks.platform.webserver.apache_reader import read
from assaymark.checks.platform.webserver.directives import Directive, Files, Gap, text_of
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Part

_SECTIONS = """VirtualHost Directory DirectoryMatch Location LocationMatch Files FilesMatch IfModule IfDefine IfVersion Macro Proxy Limit
LimitExcept RequireAll RequireAny RequireNone If"""
_SETTINGS = r"""Server(?:Root|Name|Alias|Tokens|Signature|Admin)
Listen LoadModule Include(?:Optional)? DocumentRoot AllowOverride Options Require
Order Allow Deny Rewrite(?:Engine|Rule|Cond|Base) Redirect(?:Match|Permanent|Temp)? SSL\w+ Proxy(?:Pass(?:Match|Reverse)?|Requests) Header
RequestHeader Auth(?:Type|Name|UserFile) ErrorDocument DirectoryIndex Add(?:Type|Handler|Charset|Encoding|DefaultCharset|OutputFilterByType)
SetEnv(?:If|IfNoCase)? SetHandler php_(?:flag|value|admin_flag|admin_value) Expires\w+ TraceEnable LogLevel CustomLog ErrorLog Alias
ScriptAlias FileETag Timeout KeepAlive User Group Satisfy Dav Define Use Limit\w+"""
_SECTION = re.compile(rf"(?m)^[ \t]*<(?:{'|'.join(_SECTIONS.split())})\b", re.IGNORECASE)
_SETTING = re.compile(rf"(?m)^[ \t]*(?:{'|'.join(_SETTINGS.split())})[ \t]+\S", re.IGNORECASE)
_THEIRS = re.compile(r"(?m)^[ \t]*(?:(?:server|http|events|upstream\s\S+|location\s[^{}\n]*)[ \t]*\{|\[[\w. -]+\][ \t]*$|<\?xml\b)|\A#!")


def read_all(parts: Sequence[Part]) -> Files:
    """Directives and texts by member, and what could not be read."""
    trees: dict[str, tuple[Directive, ...]] = {}
    texts: dict[str, str] = {}
    unread: dict[str, Gap] = {}
    named: set[str] = set()
    for part in parts:
        try:
            text = texts[part.name] = text_of(part.content, part.name)
            if _THEIRS.search(text) or not (_SECTION.search(text) or _SETTING.search(text)):
                continue
            if says_apache(part.name) or _SECTION.search(text):
                named.add(part.name)
            trees[part.name] = read(text, part.name)
        except Unreadable as why:
            unread[part.name] = Gap(part.name, why.reason_class, why.reason, why.line)
            if says_apache(part.name):
                named.add(part.name)
    return Files(trees, texts, unread, frozenset(named))


def says_apache(path: str) -> bool:
    """Whether a path says that the file is Apache's."""
    folded = path.casefold()
    return "apache" in folded or "httpd" in folded or folded.endswith((".htaccess", ".vhost"))
