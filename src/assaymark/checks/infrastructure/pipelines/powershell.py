"""Rules about PowerShell text: the few of the shell's rules that can be told without a parser of the language.

Does not follow variables, and sees a command only when it stands on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.shell.facts import ShellFlaw, address_in, names_a_secret

_DOWNLOAD = re.compile(r"DownloadString|DownloadFile|Invoke-WebRequest|Invoke-RestMethod|\b(?:iwr|irm|curl|wget)\b", re.IGNORECASE)
_RUN = re.compile(r"\b(?:iex|Invoke-Expression)\b", re.IGNORECASE)
_PIPED_TO_RUN = re.compile(r"\|\s{0,20}(?:iex|Invoke-Expression)\b", re.IGNORECASE)
_INSECURE = re.compile(
    r"-SkipCertificateCheck\b(?!:\$false)|ServerCertificateValidationCallback\s*=\s*\{\s*(?:return\s+)?\$true", re.IGNORECASE
)
_PRINTED = re.compile(r"(?:\bWrite-(?:Host|Output)\b|\becho\b)[^\n|>]{0,300}?\$(?:\{env:|env:|\{)?(\w+)\b(?!\.Length)", re.IGNORECASE)
_DUMPED = re.compile(
    r"(?m)^[ \t]*(?:Get-ChildItem|gci|dir|ls)[ \t]+(?:-Path[ \t]+)?env:\*?[ \t]*(?:\r?$|\|[ \t]*(?:sort|format-))", re.IGNORECASE
)
_PLAIN = re.compile(r"http://[^\s'\";)]+", re.IGNORECASE)
_PRIVATE = re.compile(r"http://(?:localhost|127\.|10\.|192\.168\.|169\.254\.|\[|\$|[\w-]+(?:[:/]|\Z)|[\w.-]+\.(?:local|internal)\b)")


def powershell_flaws(text: str) -> Iterator[ShellFlaw]:
    """Every flaw in a script."""
    start = 0
    for line in text.split("\n"):
        yield from _fetched(line, start)
        start += len(line) + 1
    for found in _INSECURE.finditer(text):
        word = found.group().partition("=")[0].strip()
        yield ShellFlaw("verification-off", word, f"`{word}`: PowerShell takes whoever answers for the right one", *found.span())
    for found in _PRINTED.finditer(text):
        if names_a_secret(found[1]) and "issecret=true" not in found.group().lower():
            message = f"{found[1]} is written to the log; masking misses what is transformed or too short"
            yield ShellFlaw("secret-printed", found[1], message, *found.span())
    for found in _DUMPED.finditer(text):
        yield ShellFlaw("environment-dumped", "env:", "Every variable of the job is written to the log, secrets included", *found.span())


def _fetched(line: str, start: int) -> Iterator[ShellFlaw]:
    """What one line downloads. Each pattern passes over the line once, so that a long one costs what it weighs."""
    download = _DOWNLOAD.search(line)
    if download is None:
        return
    run = _RUN.search(line)
    if run is not None and (run.start() < download.start() or _PIPED_TO_RUN.search(line, download.end())):
        where = address_in((line,))
        begin = start + min(run.start(), download.start())
        message = f"What {where or 'an address'} answers is run at once, whatever it is"
        yield ShellFlaw("remote-script", where or "variable address", message, begin, start + len(line.rstrip()))
    plain = _PLAIN.search(line, download.end())
    if plain is not None and not _PRIVATE.match(plain.group()):
        where = address_in((plain.group(),))
        message = f"{where} is fetched without encryption, so anyone on the way can change it"
        yield ShellFlaw("cleartext-download", where, message, start + plain.start(), start + plain.end())
