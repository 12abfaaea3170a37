"""The few things that a driver asks of one namespace, each as one question; which question follows which is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.drivers.kubernetes import reading
from assaymark.deployment.drivers.kubernetes.client import MERGE, Api, Refused
from assaymark.deployment.drivers.kubernetes.settings import Named


class Namespace:
    """Of a cluster."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name

    def workload(self, named: Named) -> dict[str, Any]:
        return self.api.get(self.path_of(named))

    def path_of(self, named: Named) -> str:
        return f"/apis/apps/v1/namespaces/{self.name}/{named.kind.plural}/{named.name}"

    def secret_path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.name}/secrets" + (f"/{name}" if name else "")

    def pod_path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.name}/pods/{name}"

    def service_path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.name}/services/{name}"

    def pods(self, workload: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All that the workload's selector finds, whoever made them: whatever bears these labels gets its traffic."""
        return self.api.every(f"/api/v1/namespaces/{self.name}/pods", labelSelector=reading.selector(workload))

    def makers(self, workload: Mapping[str, Any]) -> set[str]:
        """Uids of what makes this workload's pods: itself, and its ReplicaSets."""
        uid = reading.text(workload, "metadata", "uid")
        if workload.get("kind") == "StatefulSet":
            return {uid}
        found = self.api.every(f"/apis/apps/v1/namespaces/{self.name}/replicasets", labelSelector=reading.selector(workload))
        return {reading.text(each, "metadata", "uid") for each in found if reading.owner(each) == uid}

    def endpoints(self, service: str) -> set[str]:
        """Uids of the pods to which new connections go, as far as the API tells: those that are ready, or are said to serve."""
        slices = self.api.every(
            f"/apis/discovery.k8s.io/v1/namespaces/{self.name}/endpointslices", labelSelector=f"kubernetes.io/service-name={service}"
        )
        return {
            reading.text(each, "targetRef", "uid") or reading.text(each, "targetRef", "name") or "?"
            for found in slices
            for each in reading.entries(found, "endpoints")
            if reading.at(each, "conditions", "ready") is not False
        }

    def secret(self, name: str) -> dict[str, Any] | None:
        try:
            return self.api.get(self.secret_path(name))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def pod(self, name: str) -> dict[str, Any] | None:
        try:
            return self.api.get(self.pod_path(name))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def note(self, pod: Mapping[str, Any], number: int) -> None:
        """Writes a pod's number on it; when it is gone meanwhile there is nothing to note."""
        body = {"metadata": {"uid": reading.text(pod, "metadata", "uid"), "annotations": {reading.NUMBER: str(number)}}}
        try:
            self.api.patch(self.pod_path(reading.text(pod, "metadata", "name")), body, MERGE)
        except Refused as error:
            if error.status not in (404, 409):
                raise

    def remove_pod(self, pod: Mapping[str, Any]) -> None:
        """The very pod, and none that took its name meanwhile."""
        uid = reading.text(pod, "metadata", "uid")
        if not uid:
            raise DriverFailed("a pod without uid is not removed")
        self.api.delete(
            self.pod_path(reading.text(pod, "metadata", "name")),
            {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}},
        )
