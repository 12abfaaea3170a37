"""The profile that TLS settings are judged by, and what a cipher string of OpenSSL admits.

Guarantees the same answer on every machine: strings are expanded over a table of our own, not by the library that happens to be installed,
which also no longer knows the suites that matter most (RC4, 3DES, export). The tests compare the expansion with the installed library's on
all suites that both know.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache

import msgspec
from msgspec import Struct


class Level(Struct, frozen=True, forbid_unknown_fields=True):
    """What one grade of the profile allows."""

    protocols: tuple[str, ...]
    groups: tuple[str, ...]
    suites: tuple[str, ...]


class Broken(Struct, frozen=True, forbid_unknown_fields=True):
    """What no grade allows, since it fails against known attacks."""

    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    groups: tuple[str, ...]


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: str
    source: str
    hsts_seconds: int
    hsts_least_seconds: int
    dh_bits: int
    intermediate: Level
    modern: Level
    broken: Broken


class Suite(Struct, frozen=True):
    """One cipher suite as OpenSSL describes it."""

    name: str
    protocol: str
    exchange: str
    authentication: str
    cipher: str
    """Without the length: ``AESGCM``, ``3DES``, ``None``."""
    bits: int
    mac: str
    strength: str
    """``HIGH``, ``MEDIUM``, ``LOW``, ``EXPORT``, ``NONE``."""


def _read(name: str) -> bytes:
    with open(f"{__file__.rpartition('/')[0]}/{name}", "rb") as file:  # noqa: PTH123  as `model.rules` reads its data
        return file.read()


def data_bytes() -> bytes:
    """All data of this room, for the digest of what an answer depends on."""
    return _read("tls_profile.toml") + _read("suites.txt")


@cache
def profile() -> Profile:
    """The shipped profile."""
    return msgspec.convert(tomllib.loads(_read("tls_profile.toml").decode()), Profile)


@cache
def suites() -> tuple[Suite, ...]:
    """Every suite before TLS 1.3 that some OpenSSL knows; those of 1.3 are set apart from cipher strings and all good."""
    rows = [line.split() for line in _read("suites.txt").decode().splitlines() if line and not line.startswith("#")]
    return tuple(_suite(*row) for row in rows)


def _suite(name: str, protocol: str, exchange: str, authentication: str, cipher: str, mac: str, strength: str) -> Suite:  # noqa: PLR0913, PLR0917
    kind, _, bits = cipher.rstrip(")").rpartition("(") if "(" in cipher else (cipher, "", "0")
    return Suite(name, protocol, exchange, authentication, kind, int(bits), mac, strength)


Test = Callable[[Suite], bool]


def _kx(*names: str) -> Test:
    return lambda suite: suite.exchange in names


def _au(*names: str) -> Test:
    return lambda suite: suite.authentication in names


def _enc(*names: str, bits: int = 0) -> Test:
    return lambda suite: suite.cipher in names and bits in {0, suite.bits}


def _mac(name: str) -> Test:
    return lambda suite: suite.mac == name


def _strength(name: str) -> Test:
    return lambda suite: suite.strength == name


def _both(one: Test, other: Test) -> Test:
    return lambda suite: one(suite) and other(suite)


def _not(one: Test) -> Test:
    return lambda suite: not one(suite)


_ANONYMOUS = _au("None")
_NULL = _enc("None")
_AES = ("AES", "AESGCM", "AESCCM", "AESCCM8")
_CCM = ("AESCCM", "AESCCM8")
_WORDS: dict[str, Test] = {
    "ALL": _not(_NULL),
    "COMPLEMENTOFALL": _NULL,
    "HIGH": _strength("HIGH"),
    "MEDIUM": _strength("MEDIUM"),
    "LOW": _strength("LOW"),
    "EXP": _strength("EXPORT"),
    "EXPORT": _strength("EXPORT"),
    "EXPORT40": _strength("EXPORT"),
    "EXPORT56": lambda _: False,
    "eNULL": _NULL,
    "NULL": _NULL,
    "aNULL": _ANONYMOUS,
    "kRSA": _kx("RSA"),
    "RSA": _kx("RSA"),
    "aRSA": _au("RSA"),
    "kDHE": _kx("DH"),
    "kEDH": _kx("DH"),
    "DH": _kx("DH"),
    "DHE": _both(_kx("DH"), _not(_ANONYMOUS)),
    "EDH": _both(_kx("DH"), _not(_ANONYMOUS)),
    "ADH": _both(_kx("DH"), _ANONYMOUS),
    "kEECDH": _kx("ECDH"),
    "kECDHE": _kx("ECDH"),
    "ECDH": _kx("ECDH"),
    "ECDHE": _both(_kx("ECDH"), _not(_ANONYMOUS)),
    "EECDH": _both(_kx("ECDH"), _not(_ANONYMOUS)),
    "AECDH": _both(_kx("ECDH"), _ANONYMOUS),
    "aECDSA": _au("ECDSA"),
    "ECDSA": _au("ECDSA"),
    "aDSS": _au("DSS"),
    "DSS": _au("DSS"),
    "kPSK": _kx("PSK"),
    "kRSAPSK": _kx("RSAPSK"),
    "kDHEPSK": _kx("DHEPSK"),
    "kECDHEPSK": _kx("ECDHEPSK"),
    "aPSK": _au("PSK"),
    "PSK": lambda suite: suite.exchange.endswith("PSK"),
    "kSRP": _kx("SRP"),
    "SRP": _kx("SRP"),
    "aSRP": _au("SRP"),
    "AES": _enc(*_AES),
    "AES128": _enc(*_AES, bits=128),
    "AES256": _enc(*_AES, bits=256),
    "AESGCM": _enc("AESGCM"),
    "AESCCM": _enc(*_CCM),
    "AESCCM8": _enc("AESCCM8"),
    "CHACHA20": _enc("CHACHA20/POLY1305"),
    "CAMELLIA": _enc("Camellia"),
    "CAMELLIA128": _enc("Camellia", bits=128),
    "CAMELLIA256": _enc("Camellia", bits=256),
    "ARIA": _enc("ARIAGCM"),
    "ARIAGCM": _enc("ARIAGCM"),
    "ARIA128": _enc("ARIAGCM", bits=128),
    "ARIA256": _enc("ARIAGCM", bits=256),
    "RC4": _enc("RC4"),
    "RC2": _enc("RC2"),
    "IDEA": _enc("IDEA"),
    "SEED": _enc("SEED"),
    "DES": _enc("DES"),
    "3DES": _enc("3DES"),
    "MD5": _mac("MD5"),
    "SHA1": _mac("SHA1"),
    "SHA": _mac("SHA1"),
    "SHA256": _mac("SHA256"),
    "SHA384": _mac("SHA384"),
    "SSLv3": lambda suite: suite.protocol == "SSLv3",
    "TLSv1": lambda suite: suite.protocol == "TLSv1",
    "TLSv1.0": lambda suite: suite.protocol == "TLSv1",
    "TLSv1.2": lambda suite: suite.protocol == "TLSv1.2",
}
_DEFAULT = "ALL:!aNULL:!eNULL:!MEDIUM:!LOW:!EXP:!ARIA:!CAMELLIA:!AESCCM:!aDSS"
"""What `DEFAULT` is in OpenSSL 1.1.0 and later, as far as it concerns grades: nothing weak."""
_LONGEST = 4_000
_MOST_PARTS = 300


def admitted(text: str) -> tuple[frozenset[Suite], tuple[str, ...]]:
    """The suites that a cipher string admits, and the words in it that nobody knows; order is of no interest here."""
    chosen: set[Suite] = set()
    killed: set[Suite] = set()
    unknown: list[str] = []
    for part in re.split(r"[:, ]+", text[:_LONGEST])[:_MOST_PARTS]:
        sign, word = (part[0], part[1:]) if part[:1] in {"!", "-", "+"} else ("", part)
        if not word or word.startswith("@"):
            continue
        meant = _meant(word)
        if meant is None:
            unknown.append(part)
        elif sign == "!":
            killed |= meant
            chosen -= meant
        elif sign == "-":
            chosen -= meant
        elif not sign:
            chosen |= meant - killed
    return frozenset(chosen), tuple(unknown)


def _meant(word: str) -> set[Suite] | None:
    """The suites of one word: a name, or conditions joined by ``+``."""
    if word in {"DEFAULT", "PROFILE=SYSTEM"}:
        return set(admitted(_DEFAULT)[0])
    if word == "COMPLEMENTOFDEFAULT":
        return {each for each in suites() if each.cipher != "None"} - set(admitted(_DEFAULT)[0])
    named = {each for each in suites() if each.name == word}
    if named or word.startswith("TLS_"):
        return named
    tests = [_WORDS.get(each) or _WORDS.get(each.upper()) for each in word.split("+")]
    if any(test is None for test in tests):
        return None
    return {each for each in suites() if all(test(each) for test in tests if test)}


def weak(chosen: Iterable[Suite]) -> list[str]:
    """What is broken about a choice of suites, as words: ``no encryption``, ``no authentication``, ``RC4``, …"""
    broken = profile().broken
    words = set()
    for suite in chosen:
        if suite.cipher == "None":
            words.add("no encryption")
        elif suite.strength == "EXPORT":
            words.add("export keys")
        elif suite.cipher in broken.ciphers:
            words.add(suite.cipher)
        if suite.authentication == "None":
            words.add("no authentication")
        if suite.mac in broken.macs:
            words.add(suite.mac)
    return sorted(words)


def outdated(chosen: Iterable[Suite]) -> list[str]:
    """What a choice admits beside the profile's suites, in words; preshared keys are a choice of their own."""
    words = set()
    for suite in chosen:
        if suite.name in profile().intermediate.suites or suite.exchange.endswith("PSK") or suite.exchange == "SRP":
            continue
        if suite.exchange == "RSA":
            words.add("suites without forward secrecy")
        elif suite.cipher in {"AES", "Camellia"}:
            words.add("suites in CBC mode")
    return sorted(words)
