"""Masks credentials inside a statement, so that a code site never holds one.

Told by form only: a value beside a telling name, the password inside an address, tokens of well-known make, long random-looking literals.
It errs on the side of masking: a masked checksum costs nothing, because identity counts.
Finding secrets is the secrets check's work, not this.
"""

from __future__ import annotations

import re

MASK = "***"

_NAMED = re.compile(
    r"""(?ix)
    ( (?: pass(?:word|wd|phrase|code)? | pwd | secret | token | api_?key | private_?key | access_?key | credential | auth(?!or) )
      [\w-]{0,40} ["'\]]{0,2} \s{0,4} (?: => | [:=](?!=) ) \s{0,4} [rbuf]{0,2} )
    (?: "([^"\\\r\n]{3,})" | '([^'\\\r\n]{3,})' )
    """
)
_ADDRESS = re.compile(r"(://[^\s/:@\"']{0,80}:)([^\s/@\"']{1,200})(?=@)")
_TOKEN = re.compile(
    r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|sk_(?:live|test)_\w{16,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^\"']*)"
)
_RANDOM = re.compile(r"([\"'])([A-Za-z0-9+/_=-]{24,})\1")


def mask(statement: str) -> str:
    """The statement with the values of likely credentials replaced by ``***``."""
    if '"' not in statement and "'" not in statement and "-----" not in statement and "://" not in statement:
        return _TOKEN.sub(MASK, statement)
    text = _TOKEN.sub(MASK, statement)
    text = _ADDRESS.sub(rf"\g<1>{MASK}", text)
    text = _NAMED.sub(_quoted, text)
    return _RANDOM.sub(_if_random, text)


def _quoted(match: re.Match[str]) -> str:
    quote = '"' if match[2] is not None else "'"
    return f"{match[1]}{quote}{MASK}{quote}"


def _if_random(match: re.Match[str]) -> str:
    value = match[2]
    digits = sum(c.isdigit() for c in value)
    letters = sum(c.isalpha() for c in value)
    is_words = "/" in value and max(map(len, re.split(r"[/_-]", value))) < 20
    return match[0] if digits < 3 or letters < 3 or is_words else f"{match[1]}{MASK}{match[1]}"
