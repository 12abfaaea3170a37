"""Content by digest in an S3-compatible storage, so that servers and workers on several machines share it.

Guarantees: an object is written only where there is none (conditional put; a storage that does not know the condition gets the same bytes
again, which changes nothing), and the storage checks the digest of what it receives; what is read is checked here. What may pass (a
connection, a busy server) is tried again by the SDK. Credentials, region and profile come from the SDK's own environment and files, never
from the database. Does not make the bucket, and sets no rule of its life: what is removed here may live on as an old version there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from assaymark.errors import EngineMissing, SubjectUnreadable, UsageError
from assaymark.model.digest import Digest, sha256
from assaymark.store.blobs import checked, digest_of_file, name_of, write_checked

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PREFIX = re.compile(r"(?!.*\.\.)[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*\Z")
_NAME = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})\Z")
_PIECE = 1 << 20
_ATTEMPTS = 6
_NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})
_THERE_ALREADY = frozenset({"412", "PreconditionFailed"})
_BEING_WRITTEN = frozenset({"409", "ConditionalRequestConflict"})
_NO_CONDITIONS = frozenset({"501", "NotImplemented"})
_Result = TypeVar("_Result")


class S3Blobs:
    """Under a prefix of a bucket."""

    def __init__(self, storage: str, endpoint: str = "") -> None:
        """`storage` is ``s3://bucket/prefix``, `endpoint` the address of a storage that is not Amazon's.

        Raises:
            UsageError: when they are none.
        """
        bucket, _, prefix = storage.removeprefix(SCHEME).partition("/")
        prefix = prefix.strip("/")
        if not storage.startswith(SCHEME) or not _BUCKET.match(bucket) or (prefix and not _PREFIX.match(prefix)):
            raise UsageError(f"{storage[:200]!r} is no storage", advice="write it as s3://bucket/prefix")
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
            raise UsageError("ASSAYMARK_S3_ENDPOINT is no address", advice="write it as https://s3.example.org")
        self._bucket, self._prefix, self._endpoint = bucket, f"{prefix}/" if prefix else "", endpoint

    @cached_property
    def _client(self) -> Any:
        """Made when it is first needed, in the process that needs it."""
        try:
            import boto3  # noqa: PLC0415 - an extra, and slow to import
            from botocore.config import Config  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise EngineMissing("the library for S3 is not installed", why=str(error), advice="pip install 'assaymark[s3]'") from error
        config = Config(
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            user_agent_extra="assaymark",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return boto3.session.Session().client("s3", endpoint_url=self._endpoint or None, config=config)

    def put(self, data: bytes) -> Digest:
        digest = sha256(data)
        self._put(digest, data)
        return digest

    def put_file(self, path: Path) -> Digest:
        digest = digest_of_file(path)
        with path.open("rb") as file:
            self._put(digest, file)
        return digest

    def get(self, digest: Digest) -> bytes:
        def read() -> bytes:
            with closing(self._client.get_object(**self._at(digest))["Body"]) as body:
                return bytes(body.read())

        return checked(digest, self._asked(digest, read))

    def get_file(self, digest: Digest, target: Path) -> None:
        def read() -> None:
            with closing(self._client.get_object(**self._at(digest))["Body"]) as body:
                write_checked(digest, body.iter_chunks(_PIECE), target)

        self._asked(digest, read)

    def has(self, digest: Digest) -> bool:
        try:
            self._asked(digest, lambda: self._client.head_object(**self._at(digest)))
        except NotKept:
            return False
        return True

    def remove(self, digest: Digest) -> None:
        self._asked(digest, lambda: self._client.delete_object(**self._at(digest)))

    def every(self) -> Iterator[Digest]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        rows = iter(pages)
        while (page := self._asked(None, lambda: next(rows, None))) is not None:
            for row in page.get("Contents", ()):
                found = _NAME.match(row["Key"].removeprefix(self._prefix))
                if found:
                    yield Digest(f"sha256:{found[2]}")

    def _put(self, digest: Digest, body: bytes | IO[bytes]) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see `_client`

        checksum = base64.b64encode(bytes.fromhex(name_of(digest))).decode()
        given = {**self._at(digest), "Body": body, "ChecksumSHA256": checksum, "ContentType": "application/octet-stream"}

        def put(**more: str) -> None:
            if not isinstance(body, bytes):
                body.seek(0)
            self._client.put_object(**given, **more)

        def write() -> None:
            try:
                put(IfNoneMatch="*")
            except ClientError as error:
                if _code(error) & _THERE_ALREADY:
                    return
                if not _code(error) & (_BEING_WRITTEN | _NO_CONDITIONS):
                    raise
                put()

        self._asked(digest, write)

    def _asked(self, digest: Digest | None, ask: Callable[[], _Result]) -> _Result:
        """The answer, with what goes wrong said as it is said everywhere here."""
        client = self._client  # says that the library is missing
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - see `_client`

        assert client is not None  # noqa: S101 - made above
        where = f"s3://{self._bucket}/{self._prefix}"
        try:
            return ask()
        except NoCredentialsError as error:
            raise UsageError(
                f"there are no credentials for {where}", why=str(error), advice="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
            ) from error
        except ClientError as error:
            if digest is not None and _code(error) & _NOT_THERE and "NoSuchBucket" not in _code(error):
                raise NotKept(digest) from error
            raise SubjectUnreadable(
                f"{where} refuses", why=str(error), advice="look at the bucket, its policy and the credentials"
            ) from error
        except (BotoCoreError, OSError) as error:
            raise SubjectUnreadable(f"{where} does not answer", why=str(error), advice="try again") from error

    def _at(self, digest: Digest) -> dict[str, str]:
        name = name_of(digest)
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{name[:2]}/{name}"}


class NotKept(SubjectUnreadable):
    """There is no such object."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"{digest} is not kept here", why="the storage has no such object")


def _code(error: Any) -> frozenset[str]:
    """What a storage says is wrong: its word and the status, since not all of them say both."""
    answer = error.response
    return frozenset({str(answer.get("Error", {}).get("Code", "")), str(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))})
