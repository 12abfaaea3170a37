"""Fixtures of the secrets check: one compiled database per test run, and samples that are made, never written down."""

from __future__ import annotations

import base64
import binascii
import random
import re
import string
from collections.abc import Callable
from typing import Any

import pytest

from assaymark.checks.application.secrets.check import SecretsCheck, make
from assaymark.checks.application.secrets.provider_rules import ProviderRule
from assaymark.checks.application.secrets.validation import base62_crc32, entropy, judge
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting

KEY = b"an installation key for tests 00"


@pytest.fixture(scope="session")
def secrets_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("secrets-cache"))


@pytest.fixture(scope="session")
def secrets_check(secrets_cache: str) -> SecretsCheck:
    check = make(CheckSettings(cache_dir=secrets_cache, installation_key=Secret(KEY)))
    check.warm()
    return check


@pytest.fixture(scope="session")
def outcome(secrets_check: SecretsCheck) -> Callable[..., Checked]:
    def run(content: bytes | str, dialect: str = "text") -> Checked:
        data = content.encode() if isinstance(content, str) else content
        ((_, result),) = secrets_check.run([Input(sha256(data), Dialect(dialect), (Part("", data),))])
        assert isinstance(result, Checked)
        return result

    return run


@pytest.fixture(scope="session")
def scan(outcome: Callable[..., Checked]) -> Callable[..., tuple[Sighting, ...]]:
    return lambda content, dialect="text": outcome(content, dialect).sightings


@pytest.fixture(scope="session")
def user_check(secrets_cache: str) -> Callable[[str], SecretsCheck]:
    def build(toml: str) -> SecretsCheck:
        rules = (NamedFile("team.toml", toml.encode()),)
        return make(CheckSettings(cache_dir=secrets_cache, installation_key=Secret(KEY), secret_rules=rules))

    return build


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.name)


class Maker:
    """Makes values that look real: of a rule's own pattern, with the checksum that belongs to them."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def word(self, size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(self.random.choice(alphabet) for _ in range(size))

    def password(self) -> str:
        return self.word(4, string.ascii_letters) + self.word(3, string.digits) + self.word(5) + self.random.choice("!_-+") + self.word(3)

    def github(self) -> str:
        body = self.word(30)
        return "gh" + "p_" + body + base62_crc32(body.encode())

    def basic(self) -> str:
        return base64.b64encode(f"deploy:{self.password()}".encode()).decode()

    def of_rule(self, rule: ProviderRule) -> tuple[str, str]:
        """(text around, secret) that the rule must find."""
        for _ in range(200):
            text = self._of(re._parser.parse(rule.pattern))
            match = re.fullmatch(rule.pattern, text) or re.search(rule.pattern, text)
            if match is None:
                continue
            secret = match.group("secret") if "secret" in match.re.groupindex else match.group()
            fixed = self._with_checksum(rule.checksum, secret)
            if entropy(fixed) >= rule.entropy + 0.1 and judge(rule.checksum, fixed.encode()).passed is not False:
                return text.replace(secret, fixed), fixed
        raise AssertionError(f"no sample for {rule.pattern}")

    def _with_checksum(self, test: str, secret: str) -> str:
        if test == "crc32-base62":
            return secret[:-6] + base62_crc32(secret[4:-6].encode())
        if test == "grafana-crc32":
            return secret[:-8] + binascii.crc32(secret[:-9].encode()).to_bytes(4, "little").hex()
        if test == "nkey-crc16":
            raw = base64.b32decode(secret + "=" * (-len(secret) % 8))[:-2]
            return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")
        return secret

    def _of(self, parsed: Any) -> str:
        return "".join(self._one(str(kind), value) for kind, value in parsed)

    def _one(self, kind: str, value: Any) -> str:
        if kind == "LITERAL":
            return chr(value)
        if kind == "IN":
            return self._member(value)
        if kind == "MAX_REPEAT":
            least, most, inner = value
            return "".join(self._of(inner) for _ in range(self.random.randint(least, min(most, least + 3))))
        if kind == "SUBPATTERN":
            return self._of(value[3])
        if kind == "BRANCH":
            return self._of(self.random.choice(value[1]))
        assert kind in {"ASSERT_NOT", "AT"}, kind
        return ""

    def _member(self, members: Any) -> str:
        choices: list[str] = []
        for kind, value in members:
            if str(kind) == "LITERAL":
                choices.append(chr(value))
            else:
                choices.extend(chr(code) for code in range(value[0], value[1] + 1))
        return self.random.choice(choices)


@pytest.fixture
def maker(request: pytest.FixtureRequest) -> Maker:
    return Maker(request.node.name)
