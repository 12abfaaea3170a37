"""Files and addresses that the request names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.php.looks import function_text, pair_at, stays_inside
from assaymark.checks.application.patterns.php.queries import based
from assaymark.checks.application.patterns.rules import FOREIGN, LEAST, LESS, SURE, Hit, Place, Rule, guarded, into, judged, looked
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_HOST = re.compile(r"\w+://[^/?#\s]+[/?#]|/|php:|data:", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?|ftps?|ssh2\.\w+|gopher|tcp|udp|ssl|tls)://", re.IGNORECASE)
_UPLOAD_CHECK = re.compile(
    r"pathinfo|getimagesize|mime_content_type|finfo|exif_imagetype|in_array|PATHINFO_EXTENSION|preg_match|strrchr"
    r"|allowed|imagecreatefrom|wp_check_filetype|explode\s*\(\s*['\"]\.['\"]|valid",
    re.IGNORECASE,
)
_READS = (
    *(
        "fopen",
        "file_get_contents",
        "readfile",
        "file",
        "unlink",
        "file_put_contents",
        "rmdir",
        "mkdir",
        "opendir",
        "scandir",
        "glob",
        "touch",
    ),
    *("highlight_file", "show_source", "php_strip_whitespace", "parse_ini_file", "simplexml_load_file", "chmod", "chown", "symlink", "dir"),
    *(
        "gzopen",
        "gzfile",
        "readgzfile",
        "bzopen",
        "imagecreatefromjpeg",
        "imagecreatefrompng",
        "imagecreatefromgif",
        "fpassthru",
        "virtual",
    ),
)
_OWN = frozenset({"getUri", "getHeaderLine", "getHeader", "getHeaders", "getBody", "getRequestUri"})
"""What a request holds that a client is about to send, too."""
_CLIENT = ("get", "post", "put", "patch", "delete", "head", "options")


def _address(place: Place, value: Value) -> bool:
    """An address is the business of `fetched-address`, and PHP itself takes the folders off the names of uploads."""
    if _ADDRESS.match(value.prefix) or re.match(r"php://|data:", value.prefix) or value.foreign == "$_FILES[name]":
        return True
    call = place.call
    return call is not None and stays_inside(place, call.node)


def _fixed_host(place: Place, value: Value) -> bool:
    return bool(_HOST.match(value.prefix)) or value.foreign in _OWN or _based(place)


def _based(place: Place) -> bool:
    return any(based(place, node) for node in (place.call.args[:2] if place.call else ()))


def _client(place: Place, value: Value) -> bool:
    """Whether a method with a common name belongs to a client of HTTP."""
    path = place.call.path.rpartition(".")[0] if place.call else ""
    if re.search(r"request\b|response|router?|route|app\b|collection|cache|session|config|input|container", path, re.IGNORECASE):
        return True
    return (
        bool(_HOST.match(value.prefix))
        or value.foreign in _OWN
        or _based(place)
        or not re.search(r"client|http|guzzle|curl|browser|requests", path, re.IGNORECASE)
    )


def _fetched(place: Place, value: Value) -> bool:
    """A file function with an address whose host is foreign."""
    del place
    return not _ADDRESS.match(value.prefix) or bool(_HOST.match(value.prefix))


def _option_url(place: Place) -> Iterator[Hit]:
    """``curl_setopt($c, CURLOPT_URL, …)`` and ``curl_setopt_array($c, [CURLOPT_URL => …])``."""
    parent = place.leaf.parent
    pair = pair_at(place)
    node: Node | None = None
    if pair is not None:
        node = pair[1]
    elif parent is not None and parent.type == "argument" and parent.next_named_sibling is not None:
        following = parent.next_named_sibling
        node = following.named_children[-1] if following.named_child_count else None
    if node is None:
        return
    value = place.flow.value(node)
    found = judged(value, "url", FOREIGN)
    if found and not _HOST.match(value.prefix) and value.foreign not in _OWN and not based(place, node):
        hit = pair[0] if pair is not None else parent.parent.parent if parent is not None and parent.parent is not None else None
        yield Hit(hit or node, found[0] + (LEAST if guarded(place, node) else SURE), found[1])


def _uploaded(place: Place) -> Iterator[Hit]:
    """``move_uploaded_file`` without a look at what came."""
    call = place.call
    if call is None or len(call.args) < 2:
        return
    if not _UPLOAD_CHECK.search(function_text(place, call.node)):
        value = place.flow.value(call.args[1])
        yield Hit(call.node, SURE if value.foreign.startswith("$_FILES") else LEAST, value.foreign)


def _moved(place: Place) -> Iterator[Hit]:
    """``$file->move($folder, $file->getClientOriginalName())``."""
    call = place.call
    if call is None or call.receiver is None or len(call.args) < 2 or call.name not in ("move", "moveTo", "storeAs"):
        return
    found = judged(place.flow.value(call.args[1]), "path", FOREIGN)
    if found:
        yield Hit(call.node, LESS if found[0] else SURE, found[1])


_STAY = "Take the last part only (`basename`), compare `realpath` with the folder, or look the file up in a table."
RULES: tuple[Rule, ...] = (
    into(
        "file-path",
        "path",
        {
            **dict.fromkeys(_READS, (0,)),
            "move_uploaded_file": (1,),
            **dict.fromkeys(("copy", "rename", "link"), (0, 1)),
            "new SplFileObject": (0,),
            "new BinaryFileResponse": (0,),
            "*.sendFile": (0,),
            "response().download": (0,),
            "response().file": (0,),
            **{f"Storage.{name}": (0,) for name in ("get", "download", "delete", "put", "path", "readStream")},
            **{f"File.{name}": (0,) for name in ("get", "delete", "put")},
        },
        worth=FOREIGN,
        unless=_address,
        message="The path of a file is made of a value of the request.",
        advice=_STAY,
    ),
    looked(
        "upload-name",
        ("move", "moveTo", "storeAs"),
        _moved,
        message="An uploaded file is kept under the name that the client gives it.",
        advice="Make the name yourself (`$file->store('folder')`, `bin2hex(random_bytes(16))`) and take the suffix from a list.",
    ),
    looked(
        "upload-unchecked",
        ("move_uploaded_file",),
        _uploaded,
        message="An uploaded file is kept without a look at what it is.",
        advice="Allow suffixes from a list, give the file a name of your own, and keep it outside of the folder that the server runs.",
    ),
    into(
        "server-request",
        "url",
        {
            **dict.fromkeys(("curl_init", "fsockopen", "pfsockopen", "stream_socket_client", "get_headers", "new SoapClient"), (0,)),
            **dict.fromkeys(("wp_remote_get", "wp_remote_post", "wp_remote_request", "wp_remote_head", "download_url"), (0,)),
            **{f"Http.{name}": (0,) for name in _CLIENT},
            "new Request": (1,),
        },
        worth=FOREIGN,
        unless=_fixed_host,
        message="A request goes to an address that a value of the request chooses.",
        advice="Take the address from a list in the program, or compare scheme and host with one; refuse private networks after resolving.",
    ),
    into(
        "client-request",
        "url",
        {**{f"*.{name}": (0,) for name in _CLIENT}, "*.request": (1,), "*.requestAsync": (1,), "*.sendAsync": (0,)},
        worth=FOREIGN,
        unless=_client,
        message="A request goes to an address that a value of the request chooses.",
        advice="Take the address from a list in the program, or compare scheme and host with one; refuse private networks after resolving.",
    ),
    into(
        "fetched-address",
        "url",
        dict.fromkeys(("file_get_contents", "fopen", "readfile", "file", "copy", "simplexml_load_file", "getimagesize"), (0,)),
        worth=FOREIGN,
        unless=_fetched,
        message="A request goes to a host that a value of the request chooses.",
        advice="Take the host from a list in the program; refuse private networks after resolving.",
    ),
    looked(
        "curl-address",
        ("CURLOPT_URL", "CURLOPT_PROXY"),
        _option_url,
        message="A request goes to an address that a value of the request chooses.",
        advice="Take the address from a list in the program, or compare scheme and host with one; refuse private networks after resolving.",
    ),
)
