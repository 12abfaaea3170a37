"""As much of a cluster as a driver meets: an API server that keeps objects, the controllers behind it, and nodes with their runtimes.

Every request and every answer is judged by Kubernetes' published description (`kube_schema`). Patches are merged as the API server does it
(strategic merge by its merge keys, JSON merge patch), versions conflict, specs are numbered, a dry run keeps nothing. Time passes with each
request: a step of every controller. What it does not have: admission, quotas, schedulers, watches, other kinds.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.deployment.kube_schema import check_answer, check_call

from assaymark.deployment.drivers.kubernetes.client import MERGE, STRATEGIC, Answer, Call

NAMESPACE = "shop"
_KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumeMounts": "mountPath", "volumes": "name"}
_TIME = "2026-06-01T12:{:02}:{:02}Z"
Document = dict[str, Any]


class KubeApi:
    """A namespace of a cluster."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Document] = {}
        self.exchanges: list[tuple[Call, Answer]] = []
        self.broken: set[str] = set()
        """Digests whose containers end as soon as they begin."""
        self.told: dict[str, str] = {}
        """Digest that is asked for -> digest that the runtimes tell."""
        self.before: Callable[[Call], Answer | None] = lambda _: None
        """Steps in before a request is answered."""
        self.patience = 40
        """Steps without progress, after which a Deployment is given up."""
        self.late = 0
        """Steps by which endpoints are behind."""
        self.grace = 2
        """Steps that a pod takes to end."""
        self._version = 0
        self._uids = 0
        self._steps = 0
        self._stuck: dict[str, int] = {}
        self._slices: list[list[Document]] = []

    # --- what stands in for kubectl -------------------------------------------------------------------------------------

    def add(self, plural: str, document: Document) -> Document:
        self._uids += 1
        meta = document.setdefault("metadata", {})
        meta |= {"namespace": NAMESPACE, "uid": f"uid-{self._uids}", "resourceVersion": self._next(), "creationTimestamp": self._time()}
        if plural in ("deployments", "statefulsets"):
            meta["generation"] = 1
        self.objects[plural, meta["name"]] = document
        return document

    def of(self, plural: str, name: str) -> Document:
        return self.objects[plural, name]

    def pods(self) -> list[Document]:
        return self._all("pods")

    def settle(self, steps: int = 60) -> None:
        for _ in range(steps):
            self.step()

    def change(self, plural: str, name: str, change: Callable[[Document], None], manager: str = "kubectl-edit") -> None:
        """Somebody else writes."""
        document = self.of(plural, name)
        before = copy.deepcopy(document.get("spec"))
        change(document)
        fields = document["metadata"].setdefault("managedFields", [])
        fields.append({"manager": manager, "operation": "Update", "apiVersion": document["apiVersion"], "time": self._time()})
        self._changed(document, before)

    # --- requests --------------------------------------------------------------------------------------------------------

    def __call__(self, call: Call) -> Answer:
        found = check_call(call)
        answer = self.before(call)
        if answer is None:
            self.step()
            status, document = self._answer(call)
            answer = Answer(status, json.dumps(document).encode())
        check_answer(found, answer)
        self.exchanges.append((call, answer))
        return answer

    def _answer(self, call: Call) -> tuple[int, Document]:
        parts = urlsplit(call.path)
        query = dict(parse_qsl(parts.query))
        words = parts.path.split("/")
        place = words[words.index("namespaces") + 1 :]
        assert place[0] == NAMESPACE
        plural, name = place[1], place[2] if len(place) > 2 else ""
        body = json.loads(call.body) if call.body else {}
        if call.method == "POST":
            return self._create(plural, body, query)
        if not name:
            return 200, self._listed(plural, query)
        found = self.objects.get((plural, name))
        if found is None:
            return _refused(404, "NotFound", f'{plural} "{name}" not found')
        if call.method == "PATCH":
            return self._patch(found, body, call.content_type, query)
        return self._delete(plural, found, body) if call.method == "DELETE" else (200, found)

    def _create(self, plural: str, body: Document, query: Mapping[str, str]) -> tuple[int, Document]:
        name = body["metadata"]["name"]
        if (plural, name) in self.objects:
            return _refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
        if query.get("dryRun") == "All":
            return 201, body
        return 201, self.add(plural, body)

    def _patch(self, found: Document, body: Document, kind: str, query: Mapping[str, str]) -> tuple[int, Document]:
        asked = body.get("metadata", {})
        for name in ("resourceVersion", "uid"):
            if asked.get(name, found["metadata"][name]) != found["metadata"][name]:
                return _refused(409, "Conflict", f"the object has been modified: {name}")
        patched = strategic(found, body) if kind == STRATEGIC else merged(found, body)
        assert kind in (STRATEGIC, MERGE)
        if found["kind"] == "Secret" and found.get("immutable") and patched.get("data") != found.get("data"):
            return _refused(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set")
        both = [each["name"] for each in _env(patched) if "value" in each and "valueFrom" in each]
        if both:
            return _refused(422, "Invalid", f"env {both[0]}: may not be specified when `value` is not empty")
        if query.get("dryRun") == "All":
            return 200, patched
        before = copy.deepcopy(found.get("spec"))
        found.clear()
        found.update(patched)
        self._changed(found, before)
        return 200, found

    def _changed(self, found: Document, before: Any) -> None:
        found["metadata"]["resourceVersion"] = self._next()
        if "generation" in found["metadata"] and before != found["spec"]:
            found["metadata"]["generation"] += 1

    def _delete(self, plural: str, found: Document, body: Document) -> tuple[int, Document]:
        wanted = body.get("preconditions", {}).get("uid", found["metadata"]["uid"])
        if wanted != found["metadata"]["uid"]:
            return _refused(409, "Conflict", "the UID in the precondition is not that of the object")
        if plural == "pods":
            self._end(found)
            return 200, found
        del self.objects[plural, found["metadata"]["name"]]
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _listed(self, plural: str, query: Mapping[str, str]) -> Document:
        wanted = dict(each.split("=") for each in query.get("labelSelector", "").split(",") if each)
        if plural == "endpointslices":
            found = self._slices[0] if len(self._slices) > self.late else []
            found = [each for each in found if wanted.items() <= each["metadata"]["labels"].items()]
            return {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}, "items": found}
        found = [each for each in self._all(plural) if wanted.items() <= each["metadata"].get("labels", {}).items()]
        start = int(query.get("continue", 0))
        limit = min(int(query["limit"]), 3)  # pages are short here, so that who reads only one is found out
        following = {"continue": str(start + limit)} if start + limit < len(found) else {}
        kind, version = {"pods": ("PodList", "v1"), "replicasets": ("ReplicaSetList", "apps/v1")}[plural]
        return {"kind": kind, "apiVersion": version, "metadata": following, "items": found[start : start + limit]}

    # --- controllers -----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        self._steps += 1
        for each in self._all("pods"):
            self._kubelet(each)
        for each in self._all("deployments"):
            self._deployment(each)
        for each in self._all("statefulsets"):
            self._stateful(each)
        self._slices.append([self._slice(each) for each in self._all("services")])
        del self._slices[: -self.late - 1]

    def _deployment(self, found: Document) -> None:
        spec, name = found["spec"], found["metadata"]["name"]
        seal = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        current = self._replica_set(found, f"{name}-{seal}", seal)
        sets = {each["metadata"]["uid"] for each in self._all("replicasets") if _owner(each) == found["metadata"]["uid"]}
        mine = [each for each in self._all("pods") if _owner(each) in sets and "deletionTimestamp" not in each["metadata"]]
        new = [each for each in mine if _owner(each) == current["metadata"]["uid"]]
        old = [each for each in mine if each not in new]
        count = spec.get("replicas", 1)
        rolling = spec.get("strategy", {}).get("rollingUpdate", {})
        missing, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 1)
        if len(new) < count and len(mine) < count + surge:
            self._pod(current, f"{name}-{seal}-{self._uids:05x}", spec["template"])
        elif len(new) > count:
            self._end(min(new, key=_cost))
        ready = [each for each in mine if _ready(each)]
        if old and (len(ready) > count - missing or not all(map(_ready, old)) or not count):
            self._end(min(old, key=_ready))
        available = sum(map(_ready, new))
        self._report(found, count, mine, new, available)

    def _report(self, found: Document, count: int, mine: list[Document], new: list[Document], available: int) -> None:
        name = found["metadata"]["name"]
        done = available >= count and len(mine) == len(new) == count
        progress = f"{len(new)} {available} {len(mine)} {found['metadata']['generation']}"
        before = found.get("status", {})
        moved = progress != before.get("conditions", [{}])[0].get("message", "").partition(": ")[2]
        self._stuck[name] = 0 if done or moved else self._stuck.get(name, 0) + 1
        given_up = self._stuck[name] > self.patience
        condition = {
            "type": "Progressing",
            "status": "False" if given_up else "True",
            "reason": "ProgressDeadlineExceeded" if given_up else "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
            "message": f"{name}: {progress}",
        }
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": len(mine),
            "updatedReplicas": len(new),
            "readyReplicas": sum(map(_ready, mine)),
            "availableReplicas": sum(map(_ready, mine)),
            "conditions": [condition],
        }

    def _replica_set(self, found: Document, name: str, seal: str) -> Document:
        there = self.objects.get(("replicasets", name))
        if there is not None:
            return there
        template = copy.deepcopy(found["spec"]["template"])
        labels = {**template["metadata"]["labels"], "pod-template-hash": seal}
        meta = {"name": name, "labels": labels, "ownerReferences": [_reference(found)]}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        return self.add("replicasets", {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec})

    def _stateful(self, found: Document) -> None:
        spec, name = found["spec"], found["metadata"]["name"]
        revision = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        count = spec.get("replicas", 1)
        mine = [each for each in self._all("pods") if _owner(each) == found["metadata"]["uid"]]
        names = {each["metadata"]["name"] for each in mine}
        there = [each for each in mine if "deletionTimestamp" not in each["metadata"]]
        old = [each for each in there if each["metadata"]["labels"]["controller-revision-hash"] != revision]
        missing = next((number for number in range(count) if f"{name}-{number}" not in names), None)
        above = [each for each in there if int(each["metadata"]["name"].rpartition("-")[2]) >= count]
        if above:
            self._end(above[-1])
        elif missing is not None:
            template = copy.deepcopy(spec["template"])
            template["metadata"]["labels"]["controller-revision-hash"] = revision
            self._pod(found, f"{name}-{missing}", template)
        elif old and all(map(_ready, there)) and len(there) == len(mine):
            self._end(max(old, key=lambda each: int(each["metadata"]["name"].rpartition("-")[2])))
        updated = len(there) - len(old)
        current = revision if not old and updated == count and all(map(_ready, there)) else "before"
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": len(mine),
            "readyReplicas": sum(map(_ready, there)),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": revision,
        }

    def _pod(self, owner: Document, name: str, template: Document) -> None:
        made = copy.deepcopy(template)
        meta = {**made["metadata"], "name": name, "ownerReferences": [_reference(owner)]}
        meta["labels"] = {**owner["metadata"].get("labels", {}), **meta.get("labels", {})}
        spec = made["spec"]
        token = {"name": f"kube-api-access-{self._uids}", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        spec["volumes"] = [*spec.get("volumes", []), token]
        spec.setdefault("serviceAccountName", "default")
        spec.setdefault("nodeName", "node-1")
        self.add("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}})

    def _kubelet(self, pod: Document) -> None:
        meta, status = pod["metadata"], pod["status"]
        if "deletionTimestamp" in meta:
            meta["labels"]["left"] = str(int(meta["labels"].get("left", self.grace)) - 1)
            if int(meta["labels"]["left"]) < 0:
                del self.objects["pods", meta["name"]]
            return
        if status["phase"] == "Pending":
            status |= {"phase": "Running", "podIP": f"10.0.0.{int(meta['uid'][4:]) % 250}", "containerStatuses": []}
            return
        secrets = [each["valueFrom"]["secretKeyRef"]["name"] for each in _env(pod) if "secretKeyRef" in each.get("valueFrom", {})]
        lost = [each for each in secrets if ("secrets", each) not in self.objects]
        statuses = [self._container(each, lost) for each in pod["spec"]["containers"]]
        ready = all(each["ready"] for each in statuses)
        status["containerStatuses"] = statuses
        status["conditions"] = [{"type": "Ready", "status": str(ready)}]

    def _container(self, container: Document, lost: list[str]) -> Document:
        name, _, digest = container["image"].partition("@")
        told = self.told.get(digest, digest) or "sha256:" + hashlib.sha256(name.encode()).hexdigest()
        found = {"name": container["name"], "image": container["image"], "imageID": f"docker.io/{name}@{told}", "restartCount": 0}
        if lost or digest in self.broken:
            reason = "CreateContainerConfigError" if lost else "CrashLoopBackOff"
            return {**found, "ready": False, "state": {"waiting": {"reason": reason, "message": "back-off"}}}
        return {**found, "ready": True, "state": {"running": {"startedAt": self._time()}}}

    def _slice(self, service: Document) -> Document:
        wanted = service["spec"].get("selector") or {"": ""}
        found = [each for each in self._all("pods") if wanted.items() <= each["metadata"]["labels"].items()]
        endpoints = [
            {
                "addresses": [each["status"]["podIP"]],
                "conditions": {"ready": _ready(each)},
                "targetRef": {"kind": "Pod", "name": each["metadata"]["name"], "uid": each["metadata"]["uid"]},
            }
            for each in found
            if "podIP" in each["status"]
        ]
        name = service["metadata"]["name"]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-abcde", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": copy.deepcopy(endpoints),
            "ports": [{"port": 8080}],
        }

    def _end(self, pod: Document) -> None:
        pod["metadata"].setdefault("deletionTimestamp", self._time())

    def _all(self, plural: str) -> list[Document]:
        return [document for (kind, _), document in self.objects.items() if kind == plural]

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    def _time(self) -> str:
        return _TIME.format(self._uids // 60 % 60, self._uids % 60)


def _owner(document: Document) -> str:
    return next((str(each["uid"]) for each in document["metadata"].get("ownerReferences", ()) if each.get("controller")), "")


def _reference(owner: Document) -> Document:
    meta = owner["metadata"]
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"], "controller": True}


def _ready(pod: Document) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and {"type": "Ready", "status": "True"} in pod["status"].get("conditions", [])


def _cost(pod: Document) -> tuple[bool, int]:
    return _ready(pod), int(pod["metadata"].get("annotations", {}).get("controller.kubernetes.io/pod-deletion-cost", 0))


def _env(document: Document) -> list[Document]:
    spec = document.get("spec", {})
    spec = spec.get("template", {}).get("spec", spec)
    return [entry for each in spec.get("containers", ()) for entry in each.get("env", ())]


def _refused(code: int, reason: str, message: str) -> tuple[int, Document]:
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def merged(found: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(found) if isinstance(found, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def strategic(found: Any, patch: Any, name: str = "") -> Any:
    """As `k8s.io/apimachinery/pkg/util/strategicpatch`: lists with a merge key are merged by it, all others are exchanged."""
    if isinstance(patch, list) and name in _KEYS and isinstance(found, list):
        return _by_key(found, patch, _KEYS[name])
    if isinstance(patch, list) and name in _KEYS:
        return [merged({}, each) for each in patch if each.get("$patch") != "delete"]
    if not isinstance(patch, dict):
        return patch
    result = dict(found) if isinstance(found, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value, key)
    return result


def _by_key(found: list[Document], patch: list[Document], key: str) -> list[Document]:
    result = list(found)
    for each in patch:
        position = next((number for number, there in enumerate(result) if there.get(key) == each[key]), None)
        if each.get("$patch") == "delete":
            if position is not None:
                del result[position]
        elif position is None:
            result.append(strategic({}, each))
        else:
            result[position] = strategic(result[position], each)
    return result


def pod_template(name: str, labels: Mapping[str, str], **more: Any) -> Document:
    container = {
        "name": name,
        "image": "registry.example/before:1",
        "securityContext": {"readOnlyRootFilesystem": True},
        "env": [{"name": "LANG", "value": "C.UTF-8"}],
    }
    return {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container], **more}}


def deployment(name: str, labels: Mapping[str, str], replicas: int = 2) -> Document:
    spec = {"replicas": replicas, "selector": {"matchLabels": dict(labels)}, "template": pod_template("web", labels)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def stateful_set(name: str, labels: Mapping[str, str], replicas: int = 3) -> Document:
    spec = {
        "replicas": replicas, "serviceName": name, "selector": {"matchLabels": dict(labels)}, "template": pod_template("web", labels),
        "updateStrategy": {"type": "RollingUpdate"},
    }  # fmt: skip
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}


def service(name: str, selector: Mapping[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": dict(selector), "ports": [{"port": 80}]},
    }
