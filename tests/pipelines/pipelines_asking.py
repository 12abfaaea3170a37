"""How the tests of pipelines ask a check, a sample of every system, and the shell lines that every system must judge alike."""

from __future__ import annotations

from pathlib import Path

from assaymark.checks.infrastructure.pipelines import azure, bitbucket, circleci, github, gitlab, jenkins, tekton
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite

SETTINGS = CheckSettings(cache_dir="", installation_key=Secret(b"k"))
GITLAB: Check = gitlab.make(SETTINGS)
JENKINS: Check = jenkins.make(SETTINGS)
GOLDEN = Path(__file__).parent / "golden"
SAMPLES: dict[str, tuple[Check, str, str]] = {
    "gitlab": (GITLAB, "gitlab-ci", "sample.gitlab-ci.yml"),
    "jenkins": (JENKINS, "jenkinsfile", "sample.jenkinsfile"),
    "azure": (azure.make(SETTINGS), "azure-pipelines", "sample.azure-pipelines.yml"),
    "bitbucket": (bitbucket.make(SETTINGS), "bitbucket-pipelines", "sample.bitbucket-pipelines.yml"),
    "circleci": (circleci.make(SETTINGS), "circleci", "sample.circleci.yml"),
    "tekton": (tekton.make(SETTINGS), "tekton", "sample.tekton.yaml"),
    "github": (github.make(SETTINGS), "github-workflow", "sample.github-workflow.yml"),
}
"""Check, dialect and file below `GOLDEN`."""

Sample = tuple[str, str, str]
"""Rule, a text in which it is found, and one in which it is not."""


def outcome(check: Check, text: str | bytes, dialect: str) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = check.run([Input(sha256(content), Dialect(dialect), (Part("", content),))])
    return found


def rules_of(check: Check, text: str, dialect: str) -> set[str]:
    found = outcome(check, text, dialect)
    assert isinstance(found, Checked), found
    return {sighting.rule.removeprefix(f"{check.id}/") for sighting in found.sightings}


def sites_of(check: Check, text: str, dialect: str) -> list[tuple[str, str, str]]:
    found = outcome(check, text, dialect)
    assert isinstance(found, Checked), found
    sites = [(each.rule, each.site) for each in found.sightings]
    return sorted((rule, site.resource, site.attribute) for rule, site in sites if isinstance(site, ConfigurationSite))


SHELL: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("remote-script", ("curl -fsSL https://get.example.org/setup | bash",), ("curl -fsSL https://get.example.org/data | jq .",)),
    (
        "unverified-program",
        ("curl -o tool https://a.example.org/tool", "chmod +x tool"),
        ("curl -o tool https://a.example.org/tool", 'echo "$SUM tool" | sha256sum -c', "chmod +x tool"),
    ),
    ("cleartext-download", ("wget http://a.example.org/x.tgz",), ("wget http://localhost:8080/x.tgz",)),
    ("verification-off", ("curl -k https://a.example.org",), ("curl --fail https://a.example.org/k",)),
    ("package-check-off", ("pip install --trusted-host pypi.example.org x",), ("pip install --require-hashes -r r.txt",)),
    ("host-key-unchecked", ("ssh -o StrictHostKeyChecking=no host uptime",), ("ssh -o StrictHostKeyChecking=yes host uptime",)),
    ("password-argument", ("docker login -u me -p $PASS r.example.org",), ("docker login -u me --password-stdin r.example.org < f",)),
    ("secret-printed", ("echo $DEPLOY_TOKEN",), ('echo "${DEPLOY_TOKEN:+set}" and $DEPLOY_TOKEN_FILE',)),
    ("environment-dumped", ("printenv | sort",), ("printenv HOME", "env FOO=1 make")),
    ("traced-secret", ("set -ex", 'deploy --key "$API_KEY"'), ("set -e", 'deploy --key "$API_KEY"')),
    ("scanner-cannot-fail", ("trivy fs . || true",), ("trivy fs . --exit-code 1", "rm -f x || true")),
    ("host-rights", ("docker run --privileged img:1 x",), ("docker run --cap-add NET_ADMIN img:1 x",)),
    ("open-docker", ("export DOCKER_HOST=tcp://docker:2375",), ("export DOCKER_HOST=tcp://docker:2376",)),
]


def indented(lines: tuple[str, ...], spaces: int) -> str:
    return "".join(f"{' ' * spaces}{line}\n" for line in lines)
