"""Terms that are refused, and configuration that is hashed without being told."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.drivers.opening import opened
from assaymark.deployment.phoenix import terms
from assaymark.deployment.phoenix.configuration import gathered, key_in
from assaymark.deployment.phoenix.terms import ConfigurationTerms, Policy
from assaymark.errors import EngineMissing, UsageError

HEAD = '[deploy.production.web]\ndriver = "podman"\n'
KEY = b"k" * 32


def parsed(text: str) -> terms.Document:
    return terms.parsed(text.encode(), Path("/site"))


def test_paths_are_of_the_files_folder_and_defaults_are_careful() -> None:
    text = 'state = "s"\n[believe]\ntrust = "trust"\nbundles = ["b", "/x"]\n[server]\ntoken_file = "t"\n' + HEAD
    found = parsed(text + '[deploy.production.web.configuration.secrets]\nA = "file:a"\nB = "env:B"\n')
    assert (found.state, found.believe.trust, found.believe.bundles, found.server.token_file) == (
        "/site/s", "/site/trust", ("/site/b", "/x"), "/site/t",
    )  # fmt: skip
    own = found.of(Pair("production", "web"))
    assert own.configuration.secrets == {"A": "file:/site/a", "B": "env:B"}
    assert (own.least, own.on_revoked, own.without_approved) == (1, Policy.REPLACE, Policy.ALERT)
    with pytest.raises(UsageError, match="no terms"):
        found.of(Pair("production", "api"))


def test_what_only_a_driver_knows_to_be_a_path_is_one_where_it_begins_like_one() -> None:
    kept = {"command": '["/bin/sh", "-c", "./run"]', "state": "/var/lib/x/./y", "port": "8080"}
    given = {"data": "./data:/data ../shared:/shared", **kept}
    options = "".join(f"{name} = '{text}'\n" for name, text in given.items())
    own = parsed(f'{HEAD}image = "./trees/web"\n[deploy.production.web.options]\n{options}').of(Pair("production", "web"))
    assert own.options == {"data": "/site/data:/data /shared:/shared", **kept}
    assert own.image == "/site/trees/web"
    assert parsed(HEAD + 'image = "registry.example/./web"\n').of(Pair("production", "web")).image == "registry.example/./web"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "minimum_healthy = 2\n",
        HEAD + "min_healthy = 2\n",
        HEAD + "count = 0\n",
        HEAD + "canary = [50, 10]\n",
        HEAD + "canary = [10, 10]\n",
        HEAD + "canary = [100]\n",
        HEAD + 'image = "web@sha256:1"\n',
        HEAD + 'on_drift = "repair"\n',
        HEAD + 'without_approved = "replace"\n',
        HEAD + "probe_seconds = 2\n",
        HEAD + "soak_seconds = -1\n",
        HEAD + '[deploy.production.web.drift]\nkinds = {content = "accept"}\n',
        "[deploy.production.web]\n",
        "[belief]\n",
        "deploy = 1\n",
        "\x00",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parsed(text)


def test_a_driver_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no driver"):
        opened("docker-compose", {})
    with pytest.raises((UsageError, EngineMissing)):
        opened("../podman", {})


given_words = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text(max_size=5), max_size=3)


@given(given_words, given_words)
def test_two_configurations_have_one_digest_only_when_they_are_the_same(one: dict[str, str], two: dict[str, str]) -> None:
    first, second = (gathered(ConfigurationTerms(each), KEY, {}) for each in (one, two))
    assert (first.digest == second.digest) == (one == two)
    assert gathered(ConfigurationTerms(one), b"j" * 32, {}).digest != first.digest


def test_a_variable_is_not_a_secret_of_the_same_value() -> None:
    variable = gathered(ConfigurationTerms({"A": "x"}), KEY, {})
    secret = gathered(ConfigurationTerms(secrets={"A": "env:X"}), KEY, {"X": "x"})
    assert variable.digest != secret.digest
    assert secret.secrets == {"A": "x"}


def test_a_short_secret_cannot_be_guessed_from_the_digest() -> None:
    found = gathered(ConfigurationTerms(secrets={"PIN": "env:PIN"}), KEY, {"PIN": "1234"})
    plain = hashlib.sha256(b'[{},{"PIN":"1234"},{}]').hexdigest()
    assert plain not in found.digest
    assert "1234" not in found.digest


def test_a_file_counts_by_its_bytes_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "web.conf"
    path.write_text("one")
    path.chmod(0o644)
    words = ConfigurationTerms(files={"/etc/web.conf": str(path)})
    digests = {gathered(words, KEY, {}).digest}
    path.write_text("two")
    digests.add(gathered(words, KEY, {}).digest)
    path.chmod(0o600)
    digests.add(gathered(words, KEY, {}).digest)
    digests.add(gathered(ConfigurationTerms(files={"/etc/other": str(path)}), KEY, {}).digest)
    digests.add(gathered(ConfigurationTerms(files={"/etc": str(tmp_path)}), KEY, {}).digest)
    assert len(digests) == 5


@pytest.mark.parametrize(
    "words",
    [
        ConfigurationTerms(secrets={"A": "plain text"}),
        ConfigurationTerms(secrets={"A": "env:GONE"}),
        ConfigurationTerms(secrets={"A": "env:ASSAYMARK_TOKEN"}),
        ConfigurationTerms(secrets={"A": "file:/gone"}),
        ConfigurationTerms({"A": "x"}, {"A": "env:X"}),
        ConfigurationTerms({"A B": "x"}),
        ConfigurationTerms({"1": "x"}),
        ConfigurationTerms(files={"etc": "/etc/hostname"}),
        ConfigurationTerms(files={"/a/../b": "/etc/hostname"}),
        ConfigurationTerms(files={"/dev/null": "/dev/null"}),
        ConfigurationTerms(files={"/gone": "/gone"}),
    ],
)
def test_configuration_that_makes_no_sense_is_refused(words: ConfigurationTerms) -> None:
    with pytest.raises(UsageError):
        gathered(words, KEY, {"X": "x", "ASSAYMARK_TOKEN": "opens"})


def test_the_key_is_made_once_and_is_for_this_user_alone(tmp_path: Path) -> None:
    made = key_in(tmp_path / "state")
    assert key_in(tmp_path / "state") == made
    path = tmp_path / "state" / "key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(list((tmp_path / "state").iterdir())) == 1
    path.chmod(0o644)
    with pytest.raises(UsageError, match="open to others"):
        key_in(tmp_path / "state")
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(UsageError, match="holds no key"):
        key_in(tmp_path / "state")
    assert os.geteuid() in {0, path.stat().st_uid}
