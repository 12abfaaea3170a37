"""Recorded exchanges with a cluster: what a driver sends for one story, byte for byte, and what it was answered.

    PYTHONPATH=src:. python -m tests.deployment.recording     renews the file; a difference is a change of what clusters are sent

The answers come from the API server of the tests, which is held to Kubernetes' published description, and not from a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.deployment.kube_api import NAMESPACE, KubeApi, deployment, service
from tests.deployment.test_kubernetes_driver import LABELS, ONE, PAIR, TWO, Time, asked

from assaymark.deployment.drivers.driver import Configuration, Share
from assaymark.deployment.drivers.kubernetes import settings
from assaymark.deployment.drivers.kubernetes.client import Answer, Call, Transport
from assaymark.deployment.drivers.kubernetes.driver import KubernetesDriver

FILE = Path(__file__).parent / "recorded" / "kubernetes_exchanges.json"
GIVEN = Configuration("sha256:" + "c" * 64, {"MODE": "fast"}, {"GREETING": "hello"})


def story(send: Transport) -> None:
    """Two generations by turns, one of them with a configuration, and a look at each."""
    time = Time()
    options = {"workload": "deployment/web-blue deployment/web-green", "service": "web", "settle_seconds": "0", "rollout_seconds": "60"}
    driver = KubernetesDriver(settings.read(options), send, NAMESPACE, clock=time, sleep=time.sleep)
    driver.rehearsed(asked(1, ONE, 1, configuration=GIVEN))
    for launch in (asked(1, ONE, 1, configuration=GIVEN), asked(2, TWO, 1)):
        for each in driver.launch(launch):
            driver.probe(PAIR, each.id)
        driver.shift(PAIR, (Share(launch.generation, 100),))
    for each in driver.list(PAIR):
        driver.observe(PAIR, each.id)
        if each.generation == 1:
            driver.burn(PAIR, each.id)


def recorded() -> list[tuple[Call, Answer]]:
    """The story as it is now."""
    api = KubeApi()
    for colour in ("blue", "green"):
        api.add("deployments", deployment(f"web-{colour}", {**LABELS, "colour": colour}, 1 if colour == "blue" else 0))
    api.add("services", service("web", {**LABELS, "colour": "blue"}))
    api.settle(20)
    story(api)
    return api.exchanges


def kubernetes_exchanges() -> Iterator[tuple[Call, Answer]]:
    """Of the file."""
    lines = json.loads(FILE.read_text("utf-8"))
    for each in lines:
        body = b"" if each["sent"] is None else json.dumps(each["sent"], separators=(",", ":"), sort_keys=True).encode()
        answer = lines[each["answer"]]["answer"] if isinstance(each["answer"], int) else each["answer"]
        yield Call(each["method"], each["path"], body, each["content_type"]), Answer(each["status"], json.dumps(answer).encode())


def written() -> str:
    """The text of the file: a line per exchange. An answer that was given before is the number of its line, from 0."""
    lines: list[str] = []
    known: dict[bytes, int] = {}
    for call, answer in recorded():
        found: Any = json.loads(answer.body) if answer.body not in known else known[answer.body]
        known.setdefault(answer.body, len(lines))
        line = {
            "method": call.method, "path": call.path, "content_type": call.content_type,
            "sent": json.loads(call.body) if call.body else None, "status": answer.status, "answer": found,
        }  # fmt: skip
        lines.append(json.dumps(line, separators=(",", ":")))
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")
