"""Rules about PowerShell text: the few of the shell's rules that can be told without a parser of the language.

Does not follow variables, and sees a command only when it stands on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.shell.facts import ShellFlaw, address_in, names_a_secret

_DOWNLOAD = r"(?:DownloadString|Invoke-WebRequest|Invoke-RestMethod|\biwr\b|\birm\b|\bcurl\b|\bwget\b)"
_REMOTE = re.compile(
    rf"(?:\b(?:iex|Invoke-Expression)\b[^\n]{{0,400}}{_DOWNLOAD}|{_DOWNLOAD}[^\n|]{{0,400}}\|\s*(?:iex|Invoke-Expression)\b)[^\n]{{0,400}}",
    re.IGNORECASE,
)
_INSECURE = re.compile(
    r"-SkipCertificateCheck\b(?!:\$false)|ServerCertificateValidationCallback\s*=\s*\{\s*(?:return\s+)?\$true", re.IGNORECASE
)
_PRINTED = re.compile(r"(?:\bWrite-(?:Host|Output)\b|\becho\b)[^\n|>]{0,300}?\$(?:\{env:|env:|\{)?(\w+)\b(?!\.Length)", re.IGNORECASE)
_DUMPED = re.compile(
    r"(?m)^[ \t]*(?:Get-ChildItem|gci|dir|ls)[ \t]+(?:-Path[ \t]+)?env:\*?[ \t]*(?:\r?$|\|[ \t]*(?:sort|format-))", re.IGNORECASE
)
_PLAIN = re.compile(r"(?:Invoke-WebRequest|Invoke-RestMethod|\biwr\b|\birm\b|DownloadFile)[^\n]{0,300}?(http://[^\s'\";)]+)", re.IGNORECASE)
_PRIVATE = re.compile(r"http://(?:localhost|127\.|10\.|192\.168\.|169\.254\.|\[|\$|[\w-]+(?:[:/]|\Z)|[\w.-]+\.(?:local|internal)\b)")


def powershell_flaws(text: str) -> Iterator[ShellFlaw]:
    """Every flaw in a script."""
    for found in _REMOTE.finditer(text):
        where = address_in((found.group(),))
        shown = where or "an address"
        message = f"What {shown} answers is run at once, whatever it is"
        yield ShellFlaw("remote-script", where or "variable address", message, *found.span())
    for found in _INSECURE.finditer(text):
        word = found.group().partition("=")[0].strip()
        yield ShellFlaw("verification-off", word, f"`{word}`: PowerShell takes whoever answers for the right one", *found.span())
    for found in _PRINTED.finditer(text):
        if names_a_secret(found[1]) and "issecret=true" not in found.group().lower():
            message = f"{found[1]} is written to the log; masking misses what is transformed or too short"
            yield ShellFlaw("secret-printed", found[1], message, *found.span())
    for found in _DUMPED.finditer(text):
        yield ShellFlaw("environment-dumped", "env:", "Every variable of the job is written to the log, secrets included", *found.span())
    for found in _PLAIN.finditer(text):
        if not _PRIVATE.match(found[1]):
            where = address_in((found[1],))
            message = f"{where} is fetched without encryption, so anyone on the way can change it"
            yield ShellFlaw("cleartext-download", where, message, *found.span(1))
