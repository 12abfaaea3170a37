"""Which checks there are: a map from name to import string, so that nothing is imported before it is needed.

Third parties add through the entry point group ``assaymark.checks`` (`checks.plugins`); the value has the same form and meaning as here.
"""

from __future__ import annotations

from collections.abc import Callable

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Check

GROUP = "assaymark.checks"
Make = Callable[[CheckSettings], Check]

BUILT_IN: dict[str, str] = {
    "secrets": "assaymark.checks.application.secrets.check:make",
    "ruff": "assaymark.checks.application.code.ruff:make",
    "javascript": "assaymark.checks.application.patterns.javascript.check:make",
    "java": "assaymark.checks.application.patterns.java.check:make",
    "go": "assaymark.checks.application.patterns.go.check:make",
    "php": "assaymark.checks.application.patterns.php.check:make",
    "dependencies": "assaymark.checks.application.dependencies.check:make",
    "manifests": "assaymark.checks.application.dependencies.manifests.check:make",
    "zizmor": "assaymark.checks.infrastructure.pipelines.zizmor:make",
    "github-scripts": "assaymark.checks.infrastructure.pipelines.github:make",
    "gitlab-ci": "assaymark.checks.infrastructure.pipelines.gitlab:make",
    "jenkins": "assaymark.checks.infrastructure.pipelines.jenkins:make",
    "azure-pipelines": "assaymark.checks.infrastructure.pipelines.azure:make",
    "bitbucket-pipelines": "assaymark.checks.infrastructure.pipelines.bitbucket:make",
    "circleci": "assaymark.checks.infrastructure.pipelines.circleci:make",
    "tekton": "assaymark.checks.infrastructure.pipelines.tekton:make",
    "terraform": "assaymark.checks.infrastructure.iac.terraform:make",
    "terraform-policies": "assaymark.checks.infrastructure.iac.terraform:make_policies",
    "kubernetes": "assaymark.checks.infrastructure.workloads.kubernetes:make",
    "kubernetes-policies": "assaymark.checks.infrastructure.workloads.kubernetes:make_policies",
    "dockerfile": "assaymark.checks.infrastructure.workloads.dockerfile:make",
    "dockerfile-policies": "assaymark.checks.infrastructure.workloads.dockerfile:make_policies",
    "compose": "assaymark.checks.infrastructure.workloads.compose:make",
    "image": "assaymark.checks.infrastructure.images.image:make",
    "nginx": "assaymark.checks.platform.webserver.nginx:make",
    "apache": "assaymark.checks.platform.webserver.apache:make",
}
"""Name -> ``module:function``; the function takes `CheckSettings` and returns a `model.check.Check`."""
OPTIONAL: dict[str, str] = {
    "checkov": "assaymark.checks.infrastructure.iac.checkov:make",
}
"""Checks that run only where the policy switches them on (`checks.enable`), since they need what has to be installed first."""
EXTERNAL = "assaymark.checks.application.code.external:make_external"
"""Makes a check from a manifest of the user."""
