"""No value leaves the check: not in sightings, not in reprs, not in errors, not in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.checks.application.secrets import candidates, generic, provider_rules
from assaymark.checks.application.secrets.readers.pairs import Pair
from assaymark.model.finding import SecretSite, Sighting
from assaymark.model.severity import Confidence

Scan = Callable[..., tuple[Sighting, ...]]


def test_values_appear_in_no_output_repr_or_cache_file(scan: Scan, maker: Any, secrets_check: Any, secrets_cache: str) -> None:
    values = [maker.password(), maker.github(), maker.password(), maker.password()]
    text = (
        f'password = "{values[0]}"; token = "{values[1]}"  # was {values[0]}\n'
        f"url = 'mysql://root:{values[2]}@db/x' and password='{values[3]}'\nagain {values[2]}\n"
    )
    found = scan(text, "code")
    assert len(found) == 4
    written = msgspec.json.encode(found).decode() + repr(found) + repr(secrets_check) + repr(vars(secrets_check))
    stored = b"".join(file.read_bytes() for file in Path(secrets_cache).rglob("*") if file.is_file())
    for value in values:
        assert value not in written
        assert value.encode() not in stored


def test_intermediate_values_do_not_print_themselves(maker: Any) -> None:
    value = maker.password()
    line = f'password = "{value}"'
    seen: list[object] = [*candidates.candidates(line, "code"), *generic.find(line, "code"), Pair("k", value, 0, 1)]
    seen.extend(provider_rules.find("github-token", maker.github().encode()))
    assert len(seen) == 4
    assert all(value not in repr(one) for one in seen)


def test_identity_depends_on_value_and_key_only(scan: Scan, maker: Any) -> None:
    value = maker.password()
    (one,) = scan(f'password = "{value}"\n', "code")
    (two,) = scan(f"\n\n  DB_PASSWORD={value}\n", "config")
    (other,) = scan(f'password = "{maker.password()}"\n', "code")
    assert isinstance(one.site, SecretSite)
    assert isinstance(two.site, SecretSite)
    assert isinstance(other.site, SecretSite)
    assert one.site.value_hmac == two.site.value_hmac != other.site.value_hmac
    assert one.site.key_id == two.site.key_id


def test_context_is_one_trimmed_masked_line(scan: Scan, maker: Any) -> None:
    (found,) = scan("x\n" + "a = 1; " * 80 + f'password = "{maker.password()}"' + "; b = 2" * 80, "code")
    assert isinstance(found.site, SecretSite)
    assert 'password = "******"' in found.site.context
    assert len(found.site.context) <= 200


def test_the_confidence_scale_is_used(scan: Scan, maker: Any) -> None:
    (found,) = scan(f'password = "{maker.password()}"\n', "code")
    assert found.confidence in set(Confidence)


@pytest.mark.parametrize("dialect", ["code", "yaml", "dotenv", "text"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.text(max_size=20), value=st.from_regex(r"[A-Za-z]{3}[0-9]{3}[A-Za-z0-9!_]{6,12}", fullmatch=True), after=st.text(max_size=20)
)
def test_no_surrounding_text_makes_a_value_leak(dialect: str, before: str, value: str, after: str, scan: Scan) -> None:
    for found in scan(f'{before}password="{value}"{after} {value}\n', dialect):
        assert value not in msgspec.json.encode(found).decode() or value in before + after
