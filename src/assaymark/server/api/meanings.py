"""What parameters mean that many operations have: said once. An annotation (`Meta(description=…)`) at the parameter itself goes before."""

from __future__ import annotations

from collections.abc import Mapping

from assaymark.server.api.arguments import Parameter

_INSTANT = "in microseconds since 1970 in UTC"
_NAMES: Mapping[str, str] = {
    "action": "What was done, e.g. `token.created`.",
    "actor": "Login of who did it.",
    "after": "`next` of the page before; the first page without it.",
    "as_of": f"The state at this instant, {_INSTANT}; now without it.",
    "at": f"The state at this instant, {_INSTANT}; now without it.",
    "begins": "What the name begins with.",
    "count": "Whether the answer says how many there are, counted up to a bound.",
    "head": "Commit or digest that was judged.",
    "kind": "Only of these kinds.",
    "layer": "Only of this layer.",
    "limit": "How many rows a page has.",
    "most": "How many are looked at.",
    "name": "Only those whose name has this in it.",
    "object": "What it was done to.",
    "object_kind": "Kind of what it was done to.",
    "order": "What comes first.",
    "outcome": "How it ended.",
    "person": "Number of a person; you without it.",
    "repository": "Number of a repository.",
    "rule": "Only of this rule, e.g. `ruff/S608`.",
    "rule_class": "Only of this class of rules, e.g. `sql-injection`.",
    "severity": "Only of these severities.",
    "since": f"Not before this instant, {_INSTANT}.",
    "state": "Only those in this state.",
    "subject": "Number of a subject.",
    "team": "Number of a team.",
    "text": "Only those in which these words are.",
    "trigger": "Only those that this kind of event asked for.",
    "until": f"Before this instant, {_INSTANT}.",
    "waived": "Only those that are accepted as a risk, or only those that are not.",
    "with_ended": "Whether those that ended are shown as well.",
}


def meaning_of(parameter: Parameter, said: str) -> str:
    """What the reader is told; `said` is what the annotation says."""
    words = parameter.name.replace("_", " ")
    if said:
        text = said
    elif not parameter.is_path:
        text = _NAMES.get(parameter.name, f"Only those whose {words} is this.")
    elif parameter.plain is int:
        text = "Its number." if parameter.name == "id" else f"Number of the {words}."
    else:
        text = f"The {words}."
    return f"{text} May be repeated." if parameter.is_many else text
