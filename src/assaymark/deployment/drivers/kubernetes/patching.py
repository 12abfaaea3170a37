"""What is sent to a cluster so that a generation rises, made of values. Pure.

Guarantees
* an image is named by its digest, and everything that tells the generation stands in the pod template, so that a pod tells what it is;
* no secret is in a workload: all of a configuration is in one immutable Secret per generation, which an older generation's pods keep using;
* of a template that others own only this is changed: one container's image, variables and mounts that bear our names. What an older
  generation had set and this one does not is taken away again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from assaymark.deployment.drivers.driver import Configuration, DriverFailed, Launch
from assaymark.deployment.drivers.kubernetes import reading
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.drivers.numbering import parsed as parsed_id

_VARIABLE = "variable."
_FILE = "file."
_VOLUME = "assaymark-files"
_MOST_SECRET = 1_000_000
_KEPT = 20


class Held(Struct, frozen=True):
    """What a generation's Secret has, without its values."""

    name: str
    variables: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    """Key in the Secret -> path inside."""


def secret_name(asked_pair: Any, generation: int) -> str:
    return label(asked_pair, f"g{generation}")


def secret(asked: Launch) -> dict[str, Any]:
    """The Secret of a generation.

    Raises:
        DriverFailed: when a file cannot be read, or it is too large for one.
    """
    given = asked.configuration
    data = {f"{_VARIABLE}{name}": value.encode() for name, value in {**given.variables, **given.secrets}.items()}
    files = {f"{_FILE}{number}": inside for number, inside in enumerate(sorted(given.files), 1)}
    data |= {key: _content(given, inside) for key, inside in files.items()}
    if sum(map(len, data.values())) > _MOST_SECRET:
        raise DriverFailed("the configuration is too large for a Secret", why=f"it holds {_MOST_SECRET} bytes", advice="mount a volume")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": secret_name(asked.pair, asked.generation),
            "labels": {"app.kubernetes.io/managed-by": "assaymark"},
            "annotations": {
                reading.PAIR: str(asked.pair),
                reading.CONFIGURATION: given.digest,
                reading.FILES: json.dumps(files, sort_keys=True),
            },
        },
        "data": {key: base64.b64encode(value).decode("ascii") for key, value in sorted(data.items())},
    }


def _content(given: Configuration, inside: str) -> bytes:
    try:
        return Path(given.files[inside]).read_bytes()
    except OSError as error:
        raise DriverFailed(
            f"{given.files[inside]} cannot be mounted", why=error.strerror or str(error), advice="a folder is no file: name its files"
        ) from error


def held(found: Mapping[str, Any], asked: Launch) -> Held:
    """What a Secret that is there has.

    Raises:
        DriverFailed: when it is not this generation's, or can be changed.
    """
    name = reading.text(found, "metadata", "name")
    if reading.annotation(found, reading.CONFIGURATION) != asked.configuration.digest or reading.at(found, "immutable") is not True:
        raise DriverFailed(
            f"the Secret {name} is not what generation {asked.generation} was launched with",
            why="its configuration's digest is another, or it can be changed",
            advice="look at who wrote it, and deploy a new generation",
        )
    keys = [str(key) for key in reading.at(found, "data") or {}]
    try:
        files = json.loads(reading.annotation(found, reading.FILES) or "{}")
    except ValueError:
        files = None
    if not isinstance(files, dict) or set(files) != {key for key in keys if key.startswith(_FILE)}:
        raise DriverFailed(f"the Secret {name} does not say where its files belong")
    return Held(name, tuple(key.removeprefix(_VARIABLE) for key in keys if key.startswith(_VARIABLE)), files)


def same(found: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether a Secret that is there has the values of the one that was to be made."""
    return bool((reading.at(found, "data") or {}) == made["data"])


def kept_generations(workload: Mapping[str, Any]) -> list[int]:
    """Generations that have a Secret, so far as is known."""
    return [int(each) for each in reading.annotation(workload, reading.KEPT).split() if each.isdecimal()]


def launching(workload: Mapping[str, Any], asked: Launch, container: str, kept: Held | None, *, rolls: bool) -> dict[str, Any]:
    """The strategic merge patch of a Deployment or StatefulSet; applied twice it changes nothing more. `rolls`: what it replaces serves."""
    ours = {reading.GENERATION: str(asked.generation), reading.CONFIGURATION: asked.configuration.digest, reading.DIGEST: asked.digest}
    names = sorted(kept.variables) if kept else []
    generations = sorted({*kept_generations(workload), *([asked.generation] if kept else [])})[-_KEPT:]
    strategy = _strategy(workload, asked) if rolls else {}
    above = {
        **ours,
        reading.PAIR: str(asked.pair),
        reading.VARIABLES: " ".join(names),
        reading.KEPT: " ".join(map(str, generations)),
        reading.FILES: json.dumps(sorted(kept.files.values()) if kept else []),
        reading.BURNT: "" if reading.generation_of(workload) != asked.generation else reading.annotation(workload, reading.BURNT),
        reading.TEMPLATE: None,
    }
    return {
        "metadata": {"annotations": above, "resourceVersion": reading.text(workload, "metadata", "resourceVersion")},
        "spec": {
            "replicas": asked.count,
            **({"strategy": strategy} if strategy else {}),
            "template": {"metadata": {"annotations": ours}, "spec": _pod(workload, asked, container, kept)},
        },
    }


def _strategy(workload: Mapping[str, Any], asked: Launch) -> dict[str, Any]:
    """So many answer at any moment, in the cluster's words: at most the others may be missing, and where none may, one more comes first."""
    if workload.get("kind") == "StatefulSet" or reading.text(workload, "spec", "strategy", "type") == "Recreate":
        return {}
    missing = max(asked.count - (asked.healthy or asked.count), 0)
    surge = reading.at(workload, "spec", "strategy", "rollingUpdate", "maxSurge")
    rolling: dict[str, Any] = {"maxUnavailable": missing}
    if not missing and surge in (None, 0, "0%"):
        rolling["maxSurge"] = 1
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def _pod(workload: Mapping[str, Any], asked: Launch, container: str, kept: Held | None) -> dict[str, Any]:
    name = kept.name if kept else ""
    env: list[dict[str, Any]] = [
        {"name": each, "value": None, "valueFrom": {"secretKeyRef": {"name": name, "key": f"{_VARIABLE}{each}"}}}
        for each in (sorted(kept.variables) if kept else ())
    ]
    gone = set(reading.annotation(workload, reading.VARIABLES).split()) - {each["name"] for each in env}
    env += [{"$patch": "delete", "name": each} for each in sorted(gone)]
    files = sorted((kept.files if kept else {}).items())
    mounts: list[dict[str, Any]] = [{"name": _VOLUME, "mountPath": inside, "subPath": key, "readOnly": True} for key, inside in files]
    unmounted = set(_paths(workload)) - {inside for _, inside in files}
    mounts += [{"$patch": "delete", "mountPath": each} for each in sorted(unmounted)]
    found: dict[str, Any] = {"name": container, "image": asked.image}
    pod: dict[str, Any] = {"containers": [found]}
    if env:
        found["env"] = env
    if mounts:
        found["volumeMounts"] = mounts
    if files:
        pod["volumes"] = [{"name": _VOLUME, "secret": {"secretName": name, "defaultMode": 0o444}}]
    elif unmounted:
        pod["volumes"] = [{"$patch": "delete", "name": _VOLUME}]
    return pod


def _paths(workload: Mapping[str, Any]) -> list[str]:
    try:
        found = json.loads(reading.annotation(workload, reading.FILES) or "[]")
    except ValueError:
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def is_launched(workload: Mapping[str, Any], asked: Launch, container: str) -> bool:
    """Whether the workload was told all this already."""
    template = reading.at(workload, "spec", "template") or {}
    images = {reading.text(each, "name"): reading.text(each, "image") for each in reading.entries(template, "spec", "containers")}
    return (
        images.get(container) == asked.image
        and reading.number(workload, "spec", "replicas") == asked.count
        and all(
            reading.annotation(each, name) == value
            for each in (workload, template)
            for name, value in (
                (reading.GENERATION, str(asked.generation)),
                (reading.CONFIGURATION, asked.configuration.digest),
                (reading.DIGEST, asked.digest),
            )
        )
    )


def template_digest(workload: Mapping[str, Any]) -> str:
    """Of all that a pod is made from, as the API server keeps it."""
    template = reading.at(workload, "spec", "template") or {}
    return "sha256:" + hashlib.sha256(json.dumps(template, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sealing(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that writes down what the template is now."""
    return {"metadata": {"annotations": {reading.TEMPLATE: template_digest(workload)}}}


def burnt_numbers(workload: Mapping[str, Any], generation: int) -> frozenset[int]:
    """Of the generation that the workload is told to run; of others nothing rises any more."""
    if reading.generation_of(workload) != generation:
        return frozenset()
    return frozenset(int(each) for each in reading.annotation(workload, reading.BURNT).split() if each.isdecimal())


def without(workload: Mapping[str, Any], numbers: frozenset[int], left: int) -> dict[str, Any]:
    """The merge patch after which one pod fewer runs, and its number is never given again. Refused when the workload changed meanwhile."""
    return {
        "metadata": {
            "resourceVersion": reading.text(workload, "metadata", "resourceVersion"),
            "annotations": {reading.BURNT: " ".join(map(str, sorted(numbers)))},
        },
        "spec": {"replicas": left},
    }


def generation_in(pair: Any, instance: str) -> tuple[int, int]:
    """Generation and number of an id; zeros for the name of a pod that is nobody's."""
    return parsed_id(pair, instance) or (0, 0)
