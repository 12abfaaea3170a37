"""How flaws of a compose file are addressed: by the service or block that wrote the value."""

from __future__ import annotations

from assaymark.checks.infrastructure.workloads.compose_document import Service
from assaymark.checks.reading.yaml_tree import Node
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span
from assaymark.model.severity import Severity


def flaw(  # noqa: PLR0913  one per part of a flaw
    rule: str,
    service: Service,
    place: Node | Span,
    attribute: str,
    message: str,
    *,
    severity: Severity | None = None,
    replacement: str | None = None,
) -> Flaw:
    """A flaw of a service at a node of the text or at a span."""
    span = place if isinstance(place, Span) else place.span
    owner = service.name if isinstance(place, Span) else service.owner(place)
    block = Span(service.key.start_line, 1, service.last, 1)
    return Flaw(rule, owner, attribute, message, span, severity, block=block, replacement=replacement)
