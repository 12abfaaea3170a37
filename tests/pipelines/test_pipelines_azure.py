"""Every rule of the Azure Pipelines check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import SETTINGS, SHELL, Sample, indented, outcome, rules_of, sites_of

from assaymark.checks.infrastructure.pipelines.azure import make
from assaymark.checks.infrastructure.pipelines.azure_rules import RULES
from assaymark.model.check import Checked, Unchecked
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity

CHECK = make(SETTINGS)
NAME = "azure-pipelines"


def job(*lines: str, kind: str = "bash") -> str:
    return f"pool: {{vmImage: ubuntu-24.04}}\nsteps:\n  - {kind}: |\n" + indented(lines, 6)


def task(name: str, *inputs: str) -> str:
    return f"pool: {{vmImage: ubuntu-24.04}}\nsteps:\n  - task: {name}\n    inputs:\n" + indented(inputs, 6)


PULL_REQUEST = "pr: [main]\npool: {vmImage: ubuntu-24.04}\n"
SAMPLES: list[Sample] = [
    *((rule, job(*true), job(*false)) for rule, true, false in SHELL),
    (
        "remote-script",
        job("iex (iwr https://a.example.org/x.ps1)", kind="pwsh"),
        job("iwr https://a.example.org/x.ps1 -OutFile x", kind="pwsh"),
    ),
    (
        "remote-script",
        job("(New-Object Net.WebClient).DownloadString('https://a.example.org/x') | iex", kind="powershell"),
        job("$x = Get-Content x | ConvertFrom-Json", kind="powershell"),
    ),
    (
        "verification-off",
        job("irm https://a.example.org -SkipCertificateCheck", kind="pwsh"),
        job("irm https://a.example.org", kind="pwsh"),
    ),
    (
        "secret-printed",
        job("Write-Host $env:DEPLOY_TOKEN", kind="pwsh"),
        job('Write-Host "##vso[task.setvariable variable=t;issecret=true]$env:DEPLOY_TOKEN"', kind="pwsh"),
    ),
    ("environment-dumped", job("Get-ChildItem env:", kind="pwsh"), job("Get-ChildItem env:PATH", kind="pwsh")),
    (
        "cleartext-download",
        job("iwr http://a.example.org/x -OutFile x", kind="pwsh"),
        job("iwr http://localhost/x -OutFile x", kind="pwsh"),
    ),
    ("verification-off", "variables:\n  NODE_TLS_REJECT_UNAUTHORIZED: '0'\n", "variables:\n  NODE_TLS_REJECT_UNAUTHORIZED: '1'\n"),
    (
        "verification-off",
        "variables:\n- name: GIT_SSL_NO_VERIFY\n  value: true\n",
        "variables:\n- name: GIT_SSL_NO_VERIFY\n  value: false\n",
    ),
    ("verification-off", task("VSTest@2", "acceptUntrustedCerts: true"), task("VSTest@2", "acceptUntrustedCerts: false")),
    ("script-injection", job('eval "say $BUILD_SOURCEVERSIONMESSAGE"'), job('say "$BUILD_SOURCEVERSIONMESSAGE"')),
    ("unquoted-foreign-text", job("notify $BUILD_SOURCEVERSIONMESSAGE"), job('notify "$BUILD_SOURCEVERSIONMESSAGE"')),
    ("expression-injection", job('echo "$(Build.SourceVersionMessage)"'), job('echo "$(Build.BuildId)"')),
    ("expression-injection", job("echo $(Build.SourceBranchName)", kind="script"), job('echo "$BUILD_SOURCEBRANCHNAME"', kind="script")),
    (
        "expression-injection",
        task("PowerShell@2", "script: Write-Host $(System.PullRequest.SourceBranch)"),
        task("PowerShell@2", "script: Write-Host $env:SYSTEM_PULLREQUEST_SOURCEBRANCH"),
    ),
    (
        "expression-injection",
        task("AzureCLI@2", "inlineScript: az tag $(Build.SourceBranch)"),
        task("Docker@2", "tags: $(Build.SourceBranchName)"),
    ),
    (
        "parameter-pasted",
        "parameters:\n- {name: who, type: string}\n" + job("echo ${{ parameters.who }}"),
        "parameters:\n- {name: who, type: string, values: [a, b]}\n- {name: n, type: number}\n" + job("echo ${{ parameters.who }}"),
    ),
    (
        "parameter-pasted",
        "parameters:\n- {name: who}\n" + job("echo ${{ parameters['who'] }}"),
        "parameters:\n- {name: who}\nsteps:\n- bash: echo ${{ parameters.who }}\n",
    ),
    ("debug-enabled", "variables:\n  system.debug: 'true'\n", "variables:\n  system.debug: 'false'\n"),
    (
        "secret-unmasked",
        job('echo "##vso[task.setvariable variable=deployToken]$x"'),
        job('echo "##vso[task.setvariable variable=deployToken;issecret=true]$x"', 'echo "##vso[task.setvariable variable=path]$x"'),
    ),
    (
        "strangers-code",
        PULL_REQUEST + "steps:\n- checkout: self\n- script: npm ci\n",
        "pr: none\npool: x\nsteps:\n- checkout: self\n- script: npm ci\n",
    ),
    (
        "strangers-code",
        PULL_REQUEST + "steps:\n- script: make\n  env:\n    API_TOKEN: $(apiToken)\n",
        PULL_REQUEST + "steps:\n- script: make\n- checkout: self\n- script: echo make\n",
    ),
    (
        "service-principal-in-script",
        task("AzureCLI@2", "addSpnToEnvironment: true"),
        task("AzureCLI@2", "addSpnToEnvironment: false"),
    ),
    (
        "image-unpinned",
        "resources:\n  containers:\n  - {container: c, image: 'ubuntu:latest'}\n",
        "resources:\n  containers:\n  - {container: c, image: 'ubuntu:24.04'}\njobs:\n- {job: a, container: c}\n",
    ),
    ("image-unpinned", "jobs:\n- {job: a, container: {image: node}}\n", "jobs:\n- {job: a, container: {image: 'node:22.1'}}\n"),
    ("image-unpinned", "jobs:\n- {job: a, container: 'a.example.org/node'}\n", "jobs:\n- {job: a, container: node}\n"),
    (
        "repository-unpinned",
        "resources:\n  repositories:\n  - {repository: t, type: github, name: a/b, ref: refs/heads/main}\n",
        "resources:\n  repositories:\n  - {repository: t, type: github, name: a/b, ref: refs/tags/v1}\n",
    ),
    (
        "credentials-persist",
        "steps:\n- checkout: self\n  persistCredentials: true\n",
        "steps:\n- checkout: self\n  persistCredentials: false\n",
    ),
    (
        "own-runner-for-strangers",
        "pr: [main]\npool: {name: ours}\nsteps: []\n",
        "pr: [main]\npool: {name: Azure Pipelines, vmImage: x}\nsteps: []\n",
    ),
    ("own-runner-for-strangers", "pr: [main]\npool: ours\nsteps: []\n", "pr: none\npool: ours\nsteps: []\n"),
    (
        "security-step-may-fail",
        "steps:\n- task: CredScan@3\n  continueOnError: true\n",
        "steps:\n- task: CredScan@3\n- task: PublishTestResults@2\n  continueOnError: true\n",
    ),
    (
        "host-rights",
        "jobs:\n- job: a\n  container: {image: 'a:1', options: --privileged}\n",
        "jobs:\n- job: a\n  container: {image: 'a:1', options: --user 1000}\n",
    ),
    (
        "host-rights",
        "resources:\n  containers:\n  - {container: c, image: 'a:1', options: '-v /var/run/docker.sock:/var/run/docker.sock'}\n",
        "resources:\n  containers:\n  - {container: c, image: 'a:1', options: '-v /cache:/cache'}\n",
    ),
    ("artifact-holds-secret", "steps:\n- publish: out/deploy.pem\n", "steps:\n- publish: out/site\n"),
    (
        "artifact-holds-secret",
        task("PublishPipelineArtifact@1", "targetPath: $(Build.SourcesDirectory)/.env"),
        task("PublishPipelineArtifact@1", "targetPath: .env.example"),
    ),
    (
        "secrets-for-all-jobs",
        "pr: [main]\nvariables:\n- group: deploy\njobs:\n- job: a\n- job: b\n",
        "pr: [main]\njobs:\n- job: a\n- job: b\n  variables:\n  - group: deploy\n",
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_azure_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(CHECK, true, NAME)
    assert rule not in rules_of(CHECK, false, NAME)


def test_azure_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix(f"{NAME}/"): info for name, info in catalogue().rules.items() if name.startswith(f"{NAME}/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_azure_steps_behind_template_expressions_and_in_deployments_are_read() -> None:
    text = (
        "stages:\n- ${{ if eq(variables.x, 'y') }}:\n  - stage: s\n    jobs:\n    - deployment: d\n      strategy:\n        runOnce:\n"
        "          deploy:\n            steps:\n            - ${{ each p in parameters.ps }}:\n              - bash: curl -k https://a.example.org\n"
        "          on:\n            failure:\n              steps:\n              - pwsh: iex (irm https://b.example.org/x)\n"
    )
    assert sites_of(CHECK, text, NAME) == [
        ("azure-pipelines/remote-script", "d", "pwsh: https://b.example.org/x"),
        ("azure-pipelines/verification-off", "d", "bash: curl --insecure"),
    ]


def test_azure_what_a_pull_request_runs_weighs_more_where_the_job_holds_rights() -> None:
    plain = PULL_REQUEST + "steps:\n- checkout: self\n- script: make\n"
    holding = PULL_REQUEST + "steps:\n- checkout: self\n  persistCredentials: true\n- script: make\n"
    found = [outcome(CHECK, text, NAME) for text in (plain, holding)]
    severities = [{each.severity for each in one.sightings if "strangers" in each.rule} for one in found if isinstance(one, Checked)]
    assert severities == [{Severity.INFO}, {Severity.MEDIUM}]


def test_azure_macros_are_no_commands_and_commands_are_no_macros() -> None:
    assert rules_of(CHECK, job("echo $(registryPassword) > f", "tool $(eval)"), NAME) == set()
    assert rules_of(CHECK, job("echo $(apiToken)"), NAME) == set()
    assert rules_of(CHECK, job("echo $(API_TOKEN)", 'eval "$(curl https://a.example.org/x)"'), NAME) == {"remote-script", "secret-printed"}


def test_azure_white_space_within_an_expression_is_no_part_of_an_address() -> None:
    assert sites_of(CHECK, job("echo ${{ parameters.token }}"), NAME) == sites_of(CHECK, job("echo ${{parameters.token}}"), NAME)
    assert rules_of(CHECK, job("echo ${{   parameters.token }}"), NAME) == {"secret-printed"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("azure-pipelines.yml", NAME),
        ("ci/azure-pipelines-release.yaml", NAME),
        (".vsts-ci.yml", NAME),
        ("eng/pipelines/build.yml", "azure-template"),
        (".azuredevops/a/b.yml", "azure-template"),
        ("chart/values.yml", None),
        ("azure-pipelines.json", None),
    ],
)
def test_azure_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


@pytest.mark.parametrize(
    "text", ["on: push\njobs:\n  a:\n    runs-on: x\n", "apiVersion: v1\nkind: Pod\n", "a: [", "services:\n  a: {}\nvariables: {}\n"]
)
def test_azure_a_neighbour_in_a_folder_of_templates_is_another_format(text: str) -> None:
    assert outcome(CHECK, text, "azure-template") == Checked(skipped="other-format")


def test_azure_a_template_takes_its_parameters_from_files() -> None:
    assert rules_of(CHECK, "parameters:\n- name: x\nsteps:\n- bash: echo ${{ parameters.x }}\n", "azure-template") == set()


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"steps:\n- bash: [1\n", "syntax", 3),
        (b"\n- bash: x\n", "schema", 2),
        (b"a: b\n\xff: c\n", "encoding", 2),
        (b"steps: " + b"[" * 1000 + b"]" * 1000, "size", 1),
        (b"steps:\n" + b"- bash: curl https://a.example.org/x|sh\n" * 3000, "size", 0),
    ],
    ids=["open-bracket", "list", "latin-1", "thousand-deep", "flaw-flood"],
)
def test_azure_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(CHECK, content, NAME)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_azure_shared_steps_and_conditions_that_hold_themselves_cost_what_they_weigh() -> None:
    bomb = "x0: &a0 [{bash: ls}]\n" + "".join(f"x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40)) + "steps: *a39\n"
    assert outcome(CHECK, bomb, NAME) == Checked()
    assert outcome(CHECK, "steps: &s\n- ${{ if a }}: *s\n", NAME) == Checked()
