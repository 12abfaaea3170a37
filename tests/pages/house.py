"""The real application on a loopback address in this process, over a database of the test's own; and every page that it has."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from tests.pages.chromium import Browser
from tests.pages.planting import SECRET

from assaymark.jobs.open import prepare
from assaymark.server.app import make_app
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.web.screens import screens
from assaymark.store.migrations.apply import migrate

PARAMETERS = {"secret": SECRET, "link": SECRET, "name": "harbour"}
"""What parts of a page's path stand for; all others are numbers of rows, and mean those that are planted first."""
ELSEWHERE = {
    "/setup/{secret}": "only before anybody is here",
    "/.well-known/security.txt": "no page",
    "/endorsements/{name}/bundle": "no page",
    "/log/{seq}/proof": "no page",
    "/comments": "below",
    "/mail/end/{secret}": "by the link in a mail",
    "/posture/list": "below",
}
"""Pages that are not opened, and why."""
FURTHER = (
    "/changes/2", "/findings?state=closed", "/comments?on=finding&number=1", "/comments?on=subject&number=1", "/reports?state=refused",
    "/settings/jobs?state=waiting", "/settings/repositories?ended=1", "/settings/people?begins=a", "/?for=developer", "/?for=manager",
    "/?for=stakeholder", "/posture/list?figure=open",
)  # fmt: skip
"""The same with other choices."""


def addresses() -> list[str]:
    """Every page that can be opened, whoever added it."""
    opened = [each.path for each in screens() if each.method == "GET" and each.path not in ELSEWHERE]
    found = [re.sub(r"\{([a-z_]+)\}", lambda part: PARAMETERS.get(part[1], "1"), path) for path in opened]
    return [*found, *FURTHER]


@contextmanager
def opened(folder: Path, host: str = "localhost", **given: str) -> Iterator[Service]:
    """A service with an empty database, and its application being served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"HOME": str(folder), "ASSAYMARK_LISTEN": f"127.0.0.1:{port}", "ASSAYMARK_URL": f"http://{host}:{port}"}
    environment |= {"ASSAYMARK_RATE": "1000000", "ASSAYMARK_PUBLIC_RATE": "1000000"}
    service = open_service(load(environment, data=str(folder / "data"), **given))
    migrate(service.database)
    prepare(service.database)
    config = uvicorn.Config(make_app(service), host="127.0.0.1", port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(30)
        service.database.close()


def come_in(browser: Browser, service: Service, secret: str = SECRET) -> None:
    """As whoever has this session; nobody without one."""
    browser.ask("Network.clearBrowserCookies")
    if secret:
        browser.ask("Network.setCookie", name="assay_session", value=secret, url=service.settings.url, path="/", httpOnly=True)


def status_of(browser: Browser) -> int:
    """Of the page that is shown."""
    return int(browser.run("performance.getEntriesByType('navigation')[0].responseStatus"))
