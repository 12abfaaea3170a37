"""Every rule of the Jenkins check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.pipelines.jenkins import make
from assaymark.checks.infrastructure.pipelines.jenkins_rules import RULES
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))


def outcome(text: str | bytes, dialect: str = "jenkinsfile") -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect(dialect), (Part("", content),))])
    return found


def rules_of(text: str) -> set[str]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    return {sighting.rule.removeprefix("jenkins/") for sighting in found.sightings}


def step(text: str, stage: str = "Build") -> str:
    return f"pipeline {{\n  agent {{ label 'x' }}\n  stages {{\n    stage('{stage}') {{ steps {{\n      {text}\n    }} }}\n  }}\n}}\n"


BOUND = "withCredentials([string(credentialsId: 'c', variable: 'TOK')]) {{ {} }}"
SAMPLES: list[tuple[str, str, str]] = [
    ("remote-script", step("sh 'curl https://a.example.org/x | sh'"), step("sh 'curl https://a.example.org/x | jq .'")),
    ("unverified-program", step("sh 'wget https://a.example.org/t && chmod +x t'"), step("sh 'wget https://a.example.org/t && tar xf t'")),
    ("cleartext-download", step("sh 'wget http://a.example.org/t'"), step("sh 'wget https://a.example.org/t'")),
    (
        "verification-off",
        step("httpRequest url: 'https://a', ignoreSslErrors: true"),
        step("httpRequest url: 'https://a', ignoreSslErrors: false"),
    ),
    ("verification-off", step("withEnv(['GIT_SSL_NO_VERIFY=1']) { sh 'make' }"), step("withEnv(['GIT_SSL=1']) { sh 'make' }")),
    ("package-check-off", step("sh 'yum install --nogpgcheck x'"), step("sh 'yum install x'")),
    ("host-key-unchecked", step("sh 'scp -o StrictHostKeyChecking=no a b:'"), step("sh 'scp a b:'")),
    ("password-argument", step("sh 'docker login -u a -p $P r'"), step("sh 'echo $P | docker login -u a --password-stdin r'")),
    ("secret-printed", step("sh 'echo $API_TOKEN'"), step("sh 'echo $VERSION'")),
    ("environment-dumped", step("sh 'printenv'"), step("sh 'printenv | grep ^CI'")),
    ("traced-secret", step("sh '''set -x\npush $API_TOKEN'''"), step("sh '''set -x\nset +x\npush $API_TOKEN'''")),
    ("scanner-cannot-fail", step("sh 'snyk test || true'"), step("sh 'snyk test'")),
    (
        "scanner-cannot-fail",
        step("catchError(buildResult: 'SUCCESS') { sh 'trivy fs .' }"),
        step("catchError(buildResult: 'FAILURE') { sh 'trivy fs .' }"),
    ),
    (
        "host-rights",
        step("script { docker.image('a:1').inside('--privileged') { sh 'x' } }"),
        step("script { docker.image('a:1').inside('-e A=1') { sh 'x' } }"),
    ),
    (
        "open-docker",
        "pipeline { environment { DOCKER_HOST = 'tcp://d:2375' } }",
        "pipeline { environment { DOCKER_HOST = 'tcp://d:2376' } }",
    ),
    ("script-injection", step("sh 'eval \"say $CHANGE_TITLE\"'"), step("sh 'say \"$CHANGE_TITLE\"'")),
    ("unquoted-foreign-text", step("sh 'say $CHANGE_TITLE'"), step("sh 'say \"$CHANGE_TITLE\" $BRANCH_NAME'")),
    ("interpolated-foreign-text", step('sh "say ${env.CHANGE_TITLE}"'), step("sh 'say \"${CHANGE_TITLE}\"'")),
    ("interpolated-foreign-text", step('bat "git checkout $BRANCH_NAME"'), step('bat "git checkout \\$BRANCH_NAME"')),
    ("interpolated-parameter", step('sh "make ${params.TARGET}"'), step("sh \"make ${params.FAST ? '-j' : ''}\"")),
    ("interpolated-secret", step(BOUND.format('sh "push ${TOK}"')), step(BOUND.format("sh 'push ${TOK}'"))),
    ("secret-echoed", step(BOUND.format('echo "token $TOK"')), step(BOUND.format('echo "pushed $VERSION"'))),
    ("evaluated-text", step("script { evaluate(readFile('x.groovy')) }"), step("script { evaluate('1 + 1') }")),
    ("loaded-script", step('script { load "ci/${params.X}.groovy" }'), step("script { load 'ci/x.groovy' }")),
    ("controller-access", "node { Jenkins.instance.doQuietDown() }", "node { def Jenkins = 'x'; echo Jenkins.name }"),
    ("grabbed-dependency", "@Grab('a:b:1.0')\nimport a.B\nnode { sh 'x' }", "import a.B\nnode { sh 'x' }"),
    ("library-unpinned", "@Library('lib@master') _\nnode { }", "@Library('lib@v1.2.0') _\nnode { }"),
    (
        "checkout-cleartext",
        step("git url: 'http://a.example.org/x.git', branch: 'main'"),
        step("git url: 'https://a.example.org/x.git', branch: 'main'"),
    ),
    (
        "untrusted-checkout",
        step(BOUND.format("sh 'git fetch origin refs/pull/1/head && make'")),
        step("sh 'git fetch origin refs/pull/1/head && make'"),
    ),
    ("image-unpinned", "pipeline { agent { docker { image 'maven' } } }", "pipeline { agent { docker { image 'maven:3.9' } } }"),
    (
        "container-root",
        "pipeline { agent { docker { image 'a:1'; args '-u root' } } }",
        "pipeline { agent { docker { image 'a:1'; args '-u 1000' } } }",
    ),
    (
        "credentials-for-all",
        "pipeline { environment { T = credentials('c') } }",
        step("x()").replace("steps {", "environment { T = credentials('c') }\nsteps {"),
    ),
    ("agent-any-with-credentials", "pipeline {\n agent any\n environment { T = credentials('c') }\n}", "pipeline {\n agent any\n}"),
    ("open-approval", step("input message: 'go?'", "Deploy"), step("input message: 'go?', submitter: 'ops'", "Deploy")),
    ("input-without-timeout", step("input 'go?'"), step("timeout(5) { input 'go?' }")),
    ("artifact-holds-secret", step("archiveArtifacts artifacts: 'dist/*, certs/server.key'"), step("archiveArtifacts artifacts: 'dist/*'")),
    (
        "parameter-holds-password",
        "properties([parameters([password(name: 'P', defaultValue: 'abc')])])",
        "properties([parameters([password(name: 'P', defaultValue: '')])])",
    ),
    (
        "trigger-token-written",
        "pipeline { triggers { GenericTrigger(token: 'abc') } }",
        "pipeline { triggers { GenericTrigger(tokenCredentialId: 'abc') } }",
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_jenkins_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(true)
    assert rule not in rules_of(false)


def test_jenkins_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix("jenkins/"): info for name, info in catalogue().rules.items() if name.startswith("jenkins/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_jenkins_a_request_field_of_a_webhook_counts_as_foreign() -> None:
    trigger = "triggers { GenericTrigger(genericVariables: [[key: 'title', value: '$.t']]) }"
    text = step('sh "say $title"').replace("stages {", trigger + "\n  stages {")
    assert "interpolated-foreign-text" in rules_of(text)


def test_jenkins_span_and_address_name_the_interpolation_and_its_stage() -> None:
    found = outcome(step('sh """\n  é ${params.A}\n"""'))
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert (only.site.resource, only.site.attribute) == ("stage[Build]", "sh: params.A")  # type: ignore[union-attr]
    assert only.span is not None
    assert tuple(getattr(only.span, name) for name in ("start_line", "start_column", "end_line", "end_column")) == (6, 5, 6, 16)


@pytest.mark.parametrize("marker", ["// nosec", "// assay:allow", "/* assay:allow=interpolated-parameter */"])
def test_jenkins_an_inline_comment_is_recorded_and_nothing_is_dropped(marker: str) -> None:
    found = outcome(step(f'sh "make ${{params.A}}" {marker}'))
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.suppression is not None


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("node {\n sh 'x\n}", "syntax", 2),
        ("node {\n sh '''x\n}", "syntax", 2),
        ("node {\n /* x\n}", "syntax", 2),
        ('node {\n sh "${a"\n}', "syntax", 2),
        ("node {\n", "syntax", 1),
        ("node {\n})\n", "syntax", 2),
        ("a(" * 1000 + ")" * 1000, "size", 1),
        ("sh 'curl https://a.example.org/x | sh'\n" * 3000, "size", 0),
    ],
    ids=["open-string", "open-triple", "open-comment", "open-interpolation", "open-brace", "stray-bracket", "thousand-deep", "flaw-flood"],
)
def test_jenkins_what_cannot_be_read_is_unchecked_with_its_line(text: str, reason: str, line: int) -> None:
    found = outcome(text)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_jenkins_a_division_is_no_pattern_and_a_pattern_may_hold_quotes() -> None:
    assert outcome("node {\n def a = b / c; def d = 4 / 2\n def m = (x =~ /it's \"/)\n}") == Checked()


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("Jenkinsfile", "jenkinsfile"),
        ("ci/Jenkinsfile.deploy", "jenkinsfile"),
        ("x.jenkinsfile", "jenkinsfile"),
        ("vars/build.groovy", "groovy"),
        ("Jenkinsfile.md", None),
        ("src/a.groovy", None),
        ("MyJenkinsfileDocs", None),
    ],
)
def test_jenkins_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


def test_jenkins_a_library_step_without_pipeline_is_another_format() -> None:
    assert outcome("def call() {\n  sh 'x'\n", "groovy") == Checked(skipped="other-format")
    assert isinstance(outcome("def call() {\n  node {\n    sh 'x'\n  }\n", "groovy"), Unchecked)
