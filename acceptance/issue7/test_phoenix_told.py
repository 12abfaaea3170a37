"""Issue 7: a deployer and a server together: every step is a line of the server's log, what a server wants is deployed, and what it takes
back is replaced within a round, although the trust of the deployer's own site does not know of it yet. The whole application, by its API.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

house = pytest.importorskip("tests.server.deployed.house", reason="NOT PROVED: the server's side of deployments is not there")

from tests.deployment.phoenix_sample import digest, scratch  # noqa: E402
from tests.deployment.yard import Yard  # noqa: E402
from tests.endorsement.approvals import KEY  # noqa: E402

from assaymark.cli import server_there  # noqa: E402
from assaymark.deployment.drivers import opening  # noqa: E402
from assaymark.jobs.open import prepare  # noqa: E402
from assaymark.server.service import open_service  # noqa: E402
from assaymark.server.settings import load  # noqa: E402
from assaymark.store.migrations.apply import migrate  # noqa: E402

A, B, C = digest("a"), digest("b"), digest("c")


@contextmanager
def opened(folder: Path) -> Iterator[Any]:
    service = open_service(load({"HOME": str(folder)}, data=str(folder / "data"), database=f"sqlite:///{folder / 'assaymark.db'}"))
    migrate(service.database)
    prepare(service.database)
    try:
        with house.opened(service) as made:
            yield made
    finally:
        service.database.close()


def test_a_deployer_and_a_server_agree_about_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DRIVERS", opening.DRIVERS)  # as it is now, it is put back
    with scratch() as folder, opened(folder) as there:
        yard = Yard(folder / "yard")
        yard.pipeline.key = KEY
        yard.pipeline.believe()

        def with_server(head: str) -> None:
            yard.write(head=head)
            terms = yard.folder / "assay-deploy.toml"
            terms.write_text(terms.read_text().replace("production.web", "production.shop"))

        with_server("")
        assert yard.run("deploy", "production", "shop", C).code == 5  # refused without a server: two steps, and a cursor that is wrong
        (journal,) = (yard.folder / "state").glob("*/journal.jsonl")
        (journal.parent / "told").write_text("2\n")
        with_server('[server]\nurl = "https://assay.example"\n')
        monkeypatch.setenv("ASSAYMARK_TOKEN", "ad")
        seen: list[tuple[str, str, int]] = []

        def call(self: server_there.Server, method: str, path: str, body: Any = None, _seconds: float = 60) -> tuple[int, bytes]:
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = there.client.request(method, f"/api/v1{path}", json=body, headers=headers)
            seen.append((method, path.partition("?")[0], answer.status_code))
            return answer.status_code, answer.content

        monkeypatch.setattr(server_there.Server, "call", call)
        # A is endorsed at the server alone: it is asked for the bundle.
        said = yard.run("deploy", "production", "shop", A, "-f", "json")
        assert said.code == 0, said.out
        assert "steps are missing" in " ".join(said.document["notes"])  # and told all the same
        assert seen.pop(next(at for at, each in enumerate(seen) if each[2] == 409))[1] == "/deployments/steps"
        pair = there.ask("ad", "GET", "/deployments/pairs")["items"][0]
        steps = there.ask("ad", "GET", f"/deployments/pairs/{pair['id']}/steps")["items"]
        assert [each["state"] for each in reversed(steps)][2:] == [each["state"] for each in said.document["steps"]]
        assert yard.run("deploy", "production", "shop", C, "-f", "json").code == 5
        there.promote(B, who="ad", component="shop")
        begun = time.perf_counter()
        assert yard.run("phoenix", "--once").code == 0
        live = there.wanted("ad")["running"]
        assert (live["digest"], live["generation"]) == (B, 4)
        print(f"what is promoted runs within one round: {time.perf_counter() - begun:.2f} s")
        there.revoke(B)
        begun = time.perf_counter()
        said = yard.run("deploy", "production", "shop", B, "--again", "-f", "json")
        print(f"refused {time.perf_counter() - begun:.2f} s after the server took it back")
        assert (said.code, said.document["outcome"]) == (1, "refused")
        said = yard.run("phoenix", "--once")
        assert said.code == 0, said.err
        live = there.wanted("ad")["running"]
        assert (live["digest"], live["generation"]) == (A, 6)
        assert [each for each in seen if each[2] >= 400] == []
        kinds = [kind for kind, _ in there.logged()]
        print(f"{len(seen)} calls, log: {', '.join(f'{kinds.count(kind)} {kind}' for kind in sorted(set(kinds)))}")
        assert {"deploy", "burn", "revoke", "promote"} <= set(kinds)
