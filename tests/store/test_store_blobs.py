"""One contract for every storage: a folder, and S3 as an SDK's test double answers it (no socket is opened)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.digest import Digest, sha256
from assaymark.store.blobs import Blobs, FolderBlobs, name_of
from assaymark.store.open import open_blobs
from assaymark.store.s3 import S3Blobs

ABSENT = Digest("sha256:" + "0" * 64)
LARGE = b"0123456789abcdef" * 300_000


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")
    for name, value in {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "two", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with moto.mock_aws():
        client = boto3.session.Session().client("s3")
        client.create_bucket(Bucket="assay-content")
        yield client


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    request.getfixturevalue("bucket")
    return S3Blobs("s3://assay-content/one/two")


def spoil(blobs: Blobs, request: pytest.FixtureRequest, tmp_path: Path, digest: Digest) -> None:
    name = name_of(digest)
    if isinstance(blobs, FolderBlobs):
        (tmp_path / "blobs" / name[:2] / name).write_bytes(b"others")
    else:
        request.getfixturevalue("bucket").put_object(Bucket="assay-content", Key=f"one/two/{name[:2]}/{name}", Body=b"others")


@pytest.mark.parametrize("data", [b"", b"a", b"\0" * 1000, LARGE])
def test_what_was_put_is_had_by_its_digest(blobs: Blobs, tmp_path: Path, data: bytes) -> None:
    digest = blobs.put(data)
    assert digest == sha256(data)
    assert blobs.get(digest) == data
    blobs.get_file(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert blobs.has(digest)


def test_a_file_is_put_like_its_bytes(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    assert blobs.put_file(tmp_path / "file") == sha256(LARGE)
    assert blobs.get(sha256(LARGE)) == LARGE


def test_the_same_bytes_lie_there_once(blobs: Blobs) -> None:
    assert [blobs.put(b"one") for _ in range(3)] == [sha256(b"one")] * 3
    assert list(blobs.every()) == [sha256(b"one")]


def test_what_is_kept_can_be_listed(blobs: Blobs) -> None:
    digests = {blobs.put(bytes([number])) for number in range(20)}
    assert list(blobs.every()) == sorted(digests)


def test_what_was_removed_is_not_there_and_removing_again_is_nothing(blobs: Blobs) -> None:
    digest = blobs.put(b"one")
    blobs.remove(digest)
    blobs.remove(digest)
    assert not blobs.has(digest)
    with pytest.raises(SubjectUnreadable, match="not kept"):
        blobs.get(digest)


def test_what_is_not_there_leaves_no_file(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(SubjectUnreadable, match="not kept"):
        blobs.get_file(ABSENT, tmp_path / "copy")
    assert not list(tmp_path.glob("copy*"))


def test_what_was_changed_where_it_is_kept_is_never_given(blobs: Blobs, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    digest = blobs.put(b"mine")
    spoil(blobs, request, tmp_path, digest)
    with pytest.raises(SubjectUnreadable, match="was changed"):
        blobs.get(digest)
    (tmp_path / "copy").write_bytes(b"what was here")
    with pytest.raises(SubjectUnreadable, match="was changed"):
        blobs.get_file(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"what was here"


@pytest.mark.parametrize("digest", ["../../etc/passwd", "sha256:" + "A" * 64, "sha256:/../" + "0" * 60, "md5:" + "0" * 64, "", "sha256:"])
def test_no_path_comes_from_a_digest(blobs: Blobs, digest: str) -> None:
    for ask in (blobs.get, blobs.has, blobs.remove):
        with pytest.raises(SubjectUnreadable, match="no digest"):
            ask(Digest(digest))


# --- S3 alone --------------------------------------------------------------------------------------------------------


def test_objects_stand_under_their_prefix_and_nothing_else_is_listed(bucket: Any) -> None:
    blobs = S3Blobs("s3://assay-content/one")
    digest = blobs.put(b"one")
    name = name_of(digest)
    for key in ("other/ab/" + name, "one/readme.txt", f"one/zz/{name}"):
        bucket.put_object(Bucket="assay-content", Key=key, Body=b"")
    assert bucket.head_object(Bucket="assay-content", Key=f"one/{name[:2]}/{name}")["ContentLength"] == 3
    assert list(blobs.every()) == [digest]


def test_an_object_that_is_there_is_not_written_again(bucket: Any) -> None:
    blobs = S3Blobs("s3://assay-content")
    digest = blobs.put(b"one")
    key = f"{name_of(digest)[:2]}/{name_of(digest)}"
    bucket.put_object(Bucket="assay-content", Key=key, Body=b"marked")
    blobs.put(b"one")
    assert bucket.get_object(Bucket="assay-content", Key=key)["Body"].read() == b"marked"


class Refusing:
    """A storage that knows no conditions, or is writing the same object just now."""

    def __init__(self, inner: Any, status: int, code: str) -> None:
        self._inner, self.status, self.code = inner, status, code
        self.conditions: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put_object(self, **words: Any) -> Any:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        self.conditions.append("IfNoneMatch" in words)
        if "IfNoneMatch" in words:
            answer: Any = {"Error": {"Code": self.code}, "ResponseMetadata": {"HTTPStatusCode": self.status}}
            raise ClientError(answer, "PutObject")
        return self._inner.put_object(**words)


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (409, "ConditionalRequestConflict")])
def test_without_the_condition_the_same_bytes_are_put(bucket: Any, tmp_path: Path, status: int, code: str) -> None:
    blobs = S3Blobs("s3://assay-content")
    refusing = Refusing(blobs._client, status, code)
    blobs.__dict__["_client"] = refusing
    (tmp_path / "file").write_bytes(LARGE)
    assert blobs.get(blobs.put_file(tmp_path / "file")) == LARGE
    assert refusing.conditions == [True, False]


def test_a_bucket_that_is_not_there_is_said_to_refuse(bucket: Any) -> None:
    blobs = S3Blobs("s3://nobodys-bucket")
    for ask in (lambda: blobs.put(b"one"), lambda: blobs.get(ABSENT), lambda: list(blobs.every())):
        with pytest.raises(SubjectUnreadable, match="refuses"):
            ask()


def test_without_credentials_it_is_said_which_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="no credentials"):
        S3Blobs("s3://assay-content", "http://127.0.0.1:1").put(b"one")


@pytest.mark.parametrize(
    "storage",
    ["s3://", "s3:///x", "s3://UPPER/x", "s3://a", "s3://bucket/../x", "s3://bucket/a//b", "s3://bucket/a b", "file:///x", "bucket"],
)
def test_what_is_no_storage_is_refused(storage: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_blobs(storage, tmp_path)


@pytest.mark.parametrize("endpoint", ["s3.elsewhere.org", "ftp://x", "https://me:" + "word@x", "https://x?a=b"])
def test_what_is_no_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(UsageError) as caught:
        S3Blobs("s3://assay-content", endpoint)
    assert endpoint not in caught.value.diagnosis()
