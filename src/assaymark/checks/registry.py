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
    "php": "assaymark.checks.application.patterns.php.check:make",
    "zizmor": "assaymark.checks.infrastructure.pipelines.zizmor:make",
    "gitlab-ci": "assaymark.checks.infrastructure.pipelines.gitlab:make",
    "jenkins": "assaymark.checks.infrastructure.pipelines.jenkins:make",
}
"""Name -> ``module:function``; the function takes `CheckSettings` and returns a `model.check.Check`."""
EXTERNAL = "assaymark.checks.application.code.external:make_external"
"""Makes a check from a manifest of the user."""
