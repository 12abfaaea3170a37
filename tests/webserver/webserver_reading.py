"""Small things that the tests of both servers need: a tree in memory, and what a check says of it."""

from __future__ import annotations

from collections.abc import Mapping

from assaymark.checks.platform.webserver import apache, nginx
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite, Sighting, UncheckedSite

SETTINGS = CheckSettings(cache_dir="", installation_key=Secret(b"k"))
NGINX: Check = nginx.make(SETTINGS)
APACHE: Check = apache.make(SETTINGS)

GROUP_2048 = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
"""ffdhe2048 of RFC 7919."""

Tree = Mapping[str, str | bytes]


def outcome(check: Check, files: Tree) -> Outcome:
    """What the check says of those files of a tree that it selects."""
    rows = {name: text.encode() if isinstance(text, str) else text for name, text in files.items() if check.select(name) is not None}
    parts = tuple(Part(name, content) for name, content in sorted(rows.items()))
    whole = repr(sorted(rows.items())).encode()
    ((_, found),) = check.run([Input(sha256(whole), Dialect(str(check.id)), parts)])
    return found


def sightings(check: Check, files: Tree) -> tuple[Sighting, ...]:
    found = outcome(check, files)
    assert isinstance(found, Checked), found
    return found.sightings


def rules(check: Check, files: Tree) -> set[str]:
    return {each.rule.partition("/")[2] for each in sightings(check, files)}


def sites(check: Check, files: Tree) -> list[tuple[str, str, str]]:
    """Identities without places: rule, resource, attribute."""
    made = []
    for each in sightings(check, files):
        if isinstance(each.site, ConfigurationSite):
            made.append((str(each.rule), each.site.resource, each.site.attribute))
        else:
            assert isinstance(each.site, UncheckedSite)
            made.append((str(each.rule), each.site.unit, each.site.reason_class))
    return sorted(made)


def gap(check: Check, files: Tree) -> Unchecked:
    found = outcome(check, files)
    assert isinstance(found, Unchecked), found
    return found
