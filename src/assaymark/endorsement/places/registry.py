"""One repository of a registry, as one caller (OCI Distribution 1.1: manifests, blobs, tags, referrers).

Guarantees: every byte that is given back by digest has that digest; answers and pages are bounded; a redirect is followed for reading
only, never to a less safe scheme, and takes no credential to another host.
"""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

from msgspec import Struct

from assaymark.endorsement.places import access
from assaymark.endorsement.places.documents import INDEX, INDEXES, MANIFESTS, Entry, Part, digest_of, document, entries_of, part
from assaymark.endorsement.places.door import Ask, Said, Send
from assaymark.endorsement.places.reference import DIGEST, Reference
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError

MOST_DOCUMENT = 4 << 20
_ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
_MOST_REDIRECTS = 5
_MOST_PAGES = 64
_REDIRECTS = (301, 302, 303, 307, 308)
_DENIED = (401, 403)


class Unavailable(SubjectUnreadable):
    """The registry cannot do it now: the same may succeed a moment later."""


class Manifest(Struct, frozen=True):
    """A manifest or an index, as it stands in the registry."""

    data: bytes
    media_type: str

    @property
    def part(self) -> Part:
        return part(self.media_type, self.data)


class Registry:
    """See the module. Not for several threads at once."""

    def __init__(self, send: Send, image: Reference, credential: str = "", *, actions: str = access.PULL) -> None:
        """`credential` is ``user:password``, or empty; `actions` is what a token is asked for."""
        self._send, self.image = send, image
        self._credential, self._actions = credential, actions
        self._authorization = ""

    def manifest(self, reference: str) -> Manifest | None:
        """By tag or digest; None where there is none.

        Raises:
            SubjectUnreadable: when the registry does not answer, or gives other bytes than were asked for.
            UsageError: when it does not let in.
        """
        answer = self._read(f"manifests/{reference}", {"Accept": _ACCEPT})
        if answer.status == 404:
            return None
        self._need(answer, f"manifest {reference}", 200)
        if DIGEST.match(reference) and digest_of(answer.body) != reference:
            raise SubjectUnreadable(f"{self.image.host} gives another manifest than {reference}", advice="do not run it")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Manifest(answer.body, str(document(answer.body, f"manifest {reference}").get("mediaType") or kind))

    def put_manifest(self, reference: str, data: bytes, media_type: str, *, unless: dict[str, str] | None = None) -> Said:
        """Push it under a tag or its digest; `unless` are conditions of RFC 9110, which a registry may ignore.

        412 is an answer; raises like `manifest` for others.
        """
        answer = self._asked(Ask("PUT", self._url(f"manifests/{reference}"), {"Content-Type": media_type, **(unless or {})}, data))
        return answer if answer.status == 412 else self._need(answer, f"manifest {reference}", 201, 200, 202)

    def blob(self, digest: str, *, most: int = MOST_DOCUMENT) -> bytes:
        """A blob's bytes; raises like `manifest`, and `SubjectNotFound` where there is none."""
        if not DIGEST.match(digest):
            raise SubjectUnreadable(f"{digest[:80]!r} is no SHA-256", why=f"{self.image.shown} names a blob by it")
        answer = self._read(f"blobs/{digest}", {}, most=most)
        if answer.status == 404:
            raise SubjectNotFound(f"{self.image.shown} does not hold {digest}", why="it was deleted, or never pushed")
        self._need(answer, f"blob {digest}", 200)
        if digest_of(answer.body) != digest:
            raise SubjectUnreadable(f"{self.image.host} gives another content than {digest}", advice="do not run it")
        return answer.body

    def put_blob(self, data: bytes) -> None:
        """Push it unless it is there (distribution-spec: POST, then PUT)."""
        digest = digest_of(data)
        if self._asked(Ask("HEAD", self._url(f"blobs/{digest}"))).status == 200:
            return
        begun = self._need(self._asked(Ask("POST", self._url("blobs/uploads/"), {"Content-Length": "0"})), "an upload", 202)
        place = self._inside(begun.headers.get("location", ""))
        whole = f"{place}{'&' if '?' in place else '?'}digest={quote(digest, safe='')}"
        self._need(self._asked(Ask("PUT", whole, {"Content-Type": "application/octet-stream"}, data)), f"blob {digest}", 201)

    def referrers(self, digest: str, artifact_type: str = "") -> list[Entry] | None:
        """What refers to it by the registry's own account; None when it has no such API (404, as the specification says it)."""
        found: list[Entry] = []
        path = f"referrers/{digest}" + (f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else "")
        url = self._url(path)
        for _ in range(_MOST_PAGES):
            answer = self._followed(Ask("GET", url, {"Accept": INDEX}, most=MOST_DOCUMENT))
            if answer.status == 404 and not found:
                return None
            self._need(answer, f"referrers of {digest}", 200)
            found += entries_of(answer.body, f"the list of referrers of {digest}")
            url = self._next(answer, url)
            if not url:
                return found
        raise SubjectUnreadable(f"{self.image.shown} lists the referrers of {digest} without end")

    def tags(self, prefix: str) -> list[str]:
        """Those that begin so. Registries list by name, from a name on; one that does neither is read whole."""
        found: set[str] = set()
        url = self._url(f"tags/list?n=1000&last={quote(prefix, safe='')}")
        for _ in range(_MOST_PAGES):
            answer = self._followed(Ask("GET", url, most=MOST_DOCUMENT))
            if answer.status == 404:
                return []
            self._need(answer, "tags", 200)
            names = [each for each in document(answer.body, "the list of tags").get("tags") or [] if isinstance(each, str)]
            found |= {each for each in names if each.startswith(prefix)}
            url = self._next(answer, url)
            if not url or (names and names == sorted(names) and names[-1] > prefix and not names[-1].startswith(prefix)):
                return sorted(found)
        raise SubjectUnreadable(f"{self.image.shown} lists its tags without end")

    # --- exchanges ---------------------------------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return f"{self.image.url}/{path}"

    def _read(self, path: str, headers: dict[str, str], *, most: int = MOST_DOCUMENT) -> Said:
        return self._followed(Ask("GET", self._url(path), headers, most=most))

    def _followed(self, ask: Ask) -> Said:
        for _ in range(_MOST_REDIRECTS):
            answer = self._asked(ask)
            if answer.status not in _REDIRECTS:
                return answer
            url = self._inside(answer.headers.get("location", ""), ask.url)
            ask = Ask("GET", url, ask.headers, most=ask.most)
        raise SubjectUnreadable(f"{self.image.shown} sends its callers in circles")

    def _asked(self, ask: Ask) -> Said:
        answer = self._send(self._signed(ask))
        if answer.status != 401 or not self._is_own(ask.url):
            return answer
        before = self._authorization
        self._authorization = self._answered(answer.headers.get("www-authenticate", ""))
        return self._send(self._signed(ask)) if self._authorization and self._authorization != before else answer

    def _answered(self, challenge: str) -> str:
        asked = access.token_request(challenge, self.image, self._credential, self._actions)
        return access.basic(self._credential) if asked is None else access.token_of(self._send(asked))

    def _signed(self, ask: Ask) -> Ask:
        if not self._authorization or not self._is_own(ask.url):
            return ask
        return Ask(ask.method, ask.url, {**ask.headers, "Authorization": self._authorization}, ask.body, ask.most)

    def _is_own(self, url: str) -> bool:
        mine, other = urlsplit(self.image.url), urlsplit(url)
        return (mine.scheme, mine.netloc) == (other.scheme, other.netloc)

    def _inside(self, location: str, base: str = "") -> str:
        """Where an answer leads: as safe as the registry itself, or nowhere."""
        found = urljoin(base or self.image.url, location)
        schemes = {"https", "http"} if self.image.plain else {"https"}
        if not location or urlsplit(found).scheme not in schemes:
            raise SubjectUnreadable(f"{self.image.host} sends its callers to {location[:200]!r}", why="that is no safe address")
        return found

    def _next(self, answer: Said, url: str) -> str:
        """The next page (RFC 8288), of the same registry; empty at the end."""
        link = answer.headers.get("link", "")
        if 'rel="next"' not in link and "rel=next" not in link:
            return ""
        found = self._inside(link.partition("<")[2].partition(">")[0], url)
        if not self._is_own(found):
            raise SubjectUnreadable(f"{self.image.host} goes on with its list at another host")
        return found

    def _need(self, answer: Said, what: str, *statuses: int) -> Said:
        if answer.status in statuses:
            return answer
        shown = f"{what} of {self.image.shown}"
        if answer.status in _DENIED:
            raise UsageError(
                f"{shown} is not open to us",
                why=f"the registry answers {answer.status}",
                advice="look at the credential, and what it may do",
            )
        if answer.status == 404:
            raise SubjectNotFound(f"{shown} is not there", why="it was deleted, or never pushed", advice="push it")
        why = f"the registry answers {answer.status}: {_plain(answer.body)}"
        if 400 <= answer.status < 500 and answer.status not in {408, 429}:
            raise UsageError(f"{shown} was not taken", why=why)
        raise Unavailable(f"{shown} cannot be had", why=why, advice="try again")


def _plain(body: bytes) -> str:
    text = body[:300].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()
