"""What hyperscan looks for: one table of expressions, each with the layer that must look closer when it occurs.

Byte mode. An expression is a *lead*, not a finding: it may be wider than what the layer accepts, never narrower.
"""

from __future__ import annotations

from msgspec import Struct

KEY_WORDS = (
    r"pass(?:word|wd|wort|phrase|code)|passw|pwd|secret|token|api[_. -]?key|access[_.-]?key|credential|bearer|"
    r"(?:priv|private|auth|sign|signing|crypt|encryption|encrypt|master|account|storage|shared|client|service|admin|root|user|license|session|"
    r"cookie|hmac|aes|jwt|rsa|ssh|db|app|consumer|deploy|server|public|host|ssl|tls|cert|web|site|secure|security|signature|hash|enc|nonce|iv)"
    r"[_.-]?key|auth[_-]?(?:code|data|string)?\b|\bpass\b|_pass\b|\bpw\b|_pw\b|salt\b|\bnonce\b|connection[_-]?string"
)
_QUOTED = rf"(?:{KEY_WORDS}|\bkey)[\w.\-]{{0,40}}[\"'`\])]{{0,3}}[ \t]{{0,6}}[:=,(>|?+!][\w \t:=>\[\].|(,&]{{0,30}}\\?[\"'`][^\"'`\s]{{3}}"
_BARE = rf"(?:{KEY_WORDS}|[_.-]key)[\w.\-]{{0,40}}[\"'\])]{{0,3}}[ \t]{{0,6}}[:=>]{{1,2}}[ \t]{{0,8}}[^\s\"'`(){{}}\[\]<>$&*;,]{{4}}"


class Expression(Struct, frozen=True):
    """One expression of the prefilter."""

    lead: str
    """``<layer>:<name>``; several expressions may share one."""
    pattern: str
    once: bool = True
    """True when it is enough to know that it occurs; False when every place is wanted."""
    caseless: bool = False


LEADS: tuple[Expression, ...] = (
    Expression("text:pem", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
    Expression("text:putty", r"PuTTY-User-Key-File-[0-9]"),
    Expression("text:jwt", r"eyJ[\w-]{10,}\.eyJ[\w-]{8,}"),
    Expression(
        "bare:hash", r"\$(?:2[abxy]?\$[0-9]{2}|1|5|6|apr1|y|7|argon2(?:id|i|d)|pbkdf2(?:-sha(?:1|256|512))?|scrypt|P|H)\$", once=False
    ),
    Expression("bare:hash", r"pbkdf2_sha(?:1|256)\$[0-9]{3,7}\$|\{S?SHA(?:256|512)?\}[0-9A-Za-z+/]{20}", once=False),
    Expression("bare:url", r"[a-z][a-z0-9+.\-]{1,20}://[^\s/\"'@:<>]{0,64}:[^\s/\"'@<>]{2,128}@", once=False, caseless=True),
    Expression("quoted:assignment", _QUOTED, once=False, caseless=True),
    Expression("unquoted:assignment", _BARE, once=False, caseless=True),
    Expression("bare:option", rf"-(?:{KEY_WORDS})[\w-]{{0,20}}[ =][\"']?[^\s\"'-][^\s\"']{{3}}", once=False, caseless=True),
    Expression("bare:option", r"\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\b[^\n]{0,120} -p[^\s]{3}", once=False),
    Expression("bare:option", r"\bcurl\b[^\n]{0,200} (?:-u|--user)[ =]?[\"']?[^\s:\"']{1,64}:[^\s\"']{3}", once=False),
    Expression(
        "bare:header",
        r"authorization[\"'`\])]{0,3}[ \t]{0,4}[:=,][^\n]{0,12}(?:basic|bearer|token|digest)[ \t]+[\w+/=.~-]{8}",
        once=False,
        caseless=True,
    ),
    Expression("bare:header", r"\b(?:basic|bearer)[ \t]+[0-9A-Za-z+/_-]{12}", once=False, caseless=True),
    Expression(
        "bare:card",
        r"(?:card|visa|master|amex|payment|credit|\bpan\b|\bcc\b)[^\n]{0,60}\b[3-6][0-9]{3}[ -]?[0-9]{4,6}[ -]?[0-9]{4,5}",
        once=False,
        caseless=True,
    ),
    Expression("bare:card", r"\b[3-6][0-9]{3}([ -])[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}\b", once=False),
    Expression(
        "word:secret",
        r"passw|passphrase|secret|token|pwd|credential|api_?key|private_?key|access_?key|client-key-data|\"auth\"",
        caseless=True,
    ),
)
BASE64_LEADS: tuple[tuple[str, str], ...] = (
    ("github-token", "ghp_"),
    ("gitlab-personal-token", "glpat-"),
    ("slack-token", "xoxb-"),
    ("stripe-secret-key", "sk_live_"),
    ("npm-token", "npm_"),
    ("anthropic-key", "sk-ant-"),
    ("pem", "-----BEGIN "),
)
"""Beginnings that are also looked for inside Base64 text."""


def base64_forms(prefix: str) -> tuple[str, ...]:
    """What a text that holds `prefix` looks like in Base64, for the three ways it can be aligned."""
    import base64  # noqa: PLC0415 - only while a database is built

    forms = []
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + prefix.encode()).decode()
        first = (0, 2, 3)[lead]
        whole = (lead + len(prefix)) * 8 // 6
        forms.append(encoded[first:whole])
    return tuple(form for form in forms if len(form) >= 4)
