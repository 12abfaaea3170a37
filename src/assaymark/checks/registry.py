"""Which checks there are: a map from name to import string, so that nothing is imported before it is needed.

Third parties add through the entry point group ``assaymark.checks`` (`checks.plugins`); the value has the same form and meaning as here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

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

_YAML = (".yml", ".yaml")
_DOCKERFILE = ("dockerfile", "containerfile")
_TERRAFORM = (".tf", ".tofu")
_KUBERNETES = (*_YAML, ".json")
_WORDS: dict[str, tuple[str, ...]] = {
    "javascript": (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"),
    "java": (".java",),
    "go": (".go",),
    "php": (".php", ".phtml", ".inc", ".ctp"),
    "dependencies": (
        *(".lock", ".json", ".txt", ".toml", *_YAML, "go.mod", "pom.xml", "packages.config", "package.resolved", "gems.locked"),
        *("dpkg", "apk", "rpm", "metadata", "pkg-info", ".egg-info", ".jar", ".war", ".ear", "go-buildinfo"),
    ),
    "manifests": (
        *(".lock", ".json", ".txt", ".toml", ".yaml", "setup.", "pipfile", "gem", "gradle", ".sbt", "proj", "mix.exs", "package."),
        *("podfile", "conanfile"),
    ),
    **dict.fromkeys(("zizmor", "github-scripts", "gitlab-ci", "azure-pipelines", "bitbucket-pipelines", "circleci", "tekton"), _YAML),
    "jenkins": ("jenkinsfile", ".groovy"),
    **dict.fromkeys(("terraform", "terraform-policies"), _TERRAFORM),
    **dict.fromkeys(("kubernetes", "kubernetes-policies"), _KUBERNETES),
    **dict.fromkeys(("dockerfile", "dockerfile-policies"), _DOCKERFILE),
    "compose": _YAML,
    "image": ("image//",),
    "nginx": (".conf", ".nginx", ".vhost", ".pem", "nginx", "openresty", "sites-"),
    "apache": (".conf", ".vhost", ".htaccess", ".pem", "apache", "httpd", "sites-"),
}
"""Of every name that the check selects, whatever its case, one of these is a part. A check that is not named here may select any name."""


def concerned(paths: Iterable[str]) -> Collection[str]:
    """The built-in checks that may select one of these names, and perhaps more: found out without loading any of them.

    A name outside ASCII may be any check's, for case is folded in more ways than one there.
    """
    names = "\n".join(paths)
    if not names.isascii():
        return BUILT_IN
    names = names.lower()
    return [check for check in BUILT_IN if check not in _WORDS or any(word in names for word in _WORDS[check])]
