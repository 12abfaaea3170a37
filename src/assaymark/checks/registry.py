"""Which checks there are: a map from name to import string, so that nothing is imported before it is needed.

Third parties add through the entry point group ``assaymark.checks``; the value has the same form and meaning as here.
"""

from __future__ import annotations

BUILT_IN: dict[str, str] = {
    "secrets": "assaymark.checks.application.secrets.check:make",
    "ruff": "assaymark.checks.application.code.ruff:make",
    "zizmor": "assaymark.checks.infrastructure.pipelines.zizmor:make",
    "gitlab-ci": "assaymark.checks.infrastructure.pipelines.gitlab:make",
    "jenkins": "assaymark.checks.infrastructure.pipelines.jenkins:make",
}
"""Name -> ``module:function``; the function takes `CheckSettings` and returns a `model.check.Check`."""
