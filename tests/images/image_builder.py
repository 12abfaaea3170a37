"""Images made of bytes, honest and hostile, without any tool: a docker archive or an OCI layout."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def file(name: str, data: bytes = b"", mode: int = 0o644, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, size=len(data), mode=mode, **fields), data


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target), b""


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target), b""


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE, mode=mode), b""


def tar_of(*members: tuple[tarfile.TarInfo, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=fmt, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return target.getvalue()


def config_of(layers: Sequence[bytes], **settings: Any) -> bytes:
    history = settings.pop("history", [])
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "history": history,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
        }
    ).encode()


PACKS: Mapping[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "gzip in members": lambda data: b"".join(gzip.compress(data[at : at + 1000], mtime=0) for at in range(0, len(data), 1000)),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstd in frames": lambda data: b"".join(zstandard.ZstdCompressor().compress(data[at : at + 5000]) for at in range(0, len(data), 5000)),
}


def docker_archive(path: Path, layers: Sequence[bytes], *, config: bytes | None = None, tag: str = "app:1", **settings: Any) -> Path:
    """What ``docker save`` wrote before it wrote OCI layouts: layers are not packed."""
    config = config or config_of(layers, **settings)
    rows = [{"Config": f"{sha(config)}.json", "RepoTags": [tag], "Layers": [f"{number}/layer.tar" for number in range(len(layers))]}]
    members = [file(f"{sha(config)}.json", config), file("manifest.json", json.dumps(rows).encode())]
    path.write_bytes(tar_of(*(file(f"{number}/layer.tar", layer) for number, layer in enumerate(layers)), *members))
    return path


def oci_blobs(layers: Sequence[bytes], pack: str = "gzip", *, config: bytes | None = None, **settings: Any) -> dict[str, bytes]:
    """An OCI layout by names."""
    config = config or config_of(layers, **settings)
    packed = [PACKS[pack](layer) for layer in layers]
    kind = "application/vnd.oci.image."
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"mediaType": f"{kind}config.v1+json", "digest": f"sha256:{sha(config)}", "size": len(config)},
            "layers": [{"mediaType": f"{kind}layer.v1.tar", "digest": f"sha256:{sha(p)}", "size": len(p)} for p in packed],
        }
    ).encode()
    index = {
        "schemaVersion": 2,
        "manifests": [{"mediaType": f"{kind}manifest.v1+json", "digest": f"sha256:{sha(manifest)}", "size": len(manifest)}],
    }
    blobs = {f"blobs/sha256/{sha(blob)}": blob for blob in (*packed, config, manifest)}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}


def oci_folder(path: Path, layers: Sequence[bytes], pack: str = "gzip", **settings: Any) -> Path:
    for name, data in oci_blobs(layers, pack, **settings).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def oci_archive(path: Path, layers: Sequence[bytes], pack: str = "gzip", **settings: Any) -> Path:
    path.write_bytes(tar_of(*(file(name, data) for name, data in oci_blobs(layers, pack, **settings).items())))
    return path
