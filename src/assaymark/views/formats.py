"""Every format by name; a renderer is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from assaymark.errors import UsageError
from assaymark.model.verdict import Verdict
from assaymark.views.options import Options
from assaymark.views.sanitise import visible

Renderer = Callable[[Verdict, Options], str]

FORMATS: dict[str, str] = {
    "terminal": "assaymark.views.terminal:render",
    "json": "assaymark.views.jsonout:render",
    "sarif": "assaymark.views.sarif:render",
    "junit": "assaymark.views.junit:render",
    "gitlab-codequality": "assaymark.views.gitlab:render_codequality",
    "gitlab-sast": "assaymark.views.gitlab:render_sast",
    "gitlab-secrets": "assaymark.views.gitlab:render_secrets",
    "github": "assaymark.views.github:render",
    "github-summary": "assaymark.views.github:job_summary",
    "markdown": "assaymark.views.markdown:render",
    "html": "assaymark.views.html:render",
}
"""Name -> ``module:function``; the function takes a `Verdict` and `Options` and returns text."""


def renderer(name: str) -> Renderer:
    """The renderer of this name.

    Raises:
        UsageError: when there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format {visible(name)}", advice=f"choose one of {', '.join(FORMATS)}")
    module, _, function = FORMATS[name].partition(":")
    return cast("Renderer", getattr(import_module(module), function))
