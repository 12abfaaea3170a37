"""The driver sends what was recorded, in that order, where it is answered what was recorded; all of it fits the published description."""

from __future__ import annotations

from tests.deployment.kube_schema import check_answer, check_call
from tests.deployment.recording import FILE, kubernetes_exchanges, story, written

from assaymark.deployment.drivers.kubernetes.client import Answer, Call


def test_the_driver_sends_what_was_recorded() -> None:
    exchanges = kubernetes_exchanges()

    def send(call: Call) -> Answer:
        wanted, answer = next(exchanges)
        assert call == wanted
        return answer

    story(send)
    assert next(exchanges, None) is None


def test_what_was_recorded_fits_the_published_description() -> None:
    found = list(kubernetes_exchanges())
    for call, answer in found:
        check_answer(check_call(call), answer)
    assert {call.method for call, _ in found} == {"GET", "POST", "PATCH", "DELETE"}


def test_the_file_is_what_would_be_recorded_now() -> None:
    assert FILE.read_text("utf-8") == written()
