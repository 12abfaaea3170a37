"""One exchange by the standard library, for a person's own machine: the command line's way through the door.

Guarantees: certificates are verified by the system's authorities (``SSL_CERT_FILE`` is heeded by OpenSSL); no redirect is followed, nothing
is unpacked, an answer ends at the size that was asked for; HTTP without TLS only where the address says so. No proxy is used.
"""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from assaymark.endorsement.places.door import Ask, Said
from assaymark.errors import SubjectUnreadable

SECONDS = 30.0


def send(ask: Ask, *, seconds: float = SECONDS) -> Said:
    """See `assaymark.endorsement.places.door.Send`."""
    parts = urlsplit(ask.url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or not ask.url.isascii() or not ask.url.isprintable():
        raise SubjectUnreadable(f"{ask.url[:200]!r} is no address of a registry")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "assaymark", "Accept-Encoding": "identity", **ask.headers}
    link: http.client.HTTPConnection | None = None
    try:
        port = parts.port
        if parts.scheme == "https":
            link = http.client.HTTPSConnection(parts.hostname, port, timeout=seconds, context=ssl.create_default_context())
        else:
            link = http.client.HTTPConnection(parts.hostname, port, timeout=seconds)
        link.request(ask.method, target, body=ask.body or None, headers=headers)
        answer = link.getresponse()
        body = answer.read(ask.most + 1)
        if len(body) > ask.most:
            raise SubjectUnreadable(f"{parts.netloc} answered with too much", why=f"more than {ask.most} bytes")
        return Said(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SubjectUnreadable(f"{parts.netloc} cannot be reached", why=why, advice="look at the address and the network") from error
    finally:
        if link is not None:
            link.close()
