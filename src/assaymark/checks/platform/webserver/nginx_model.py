"""The effective configuration of nginx: files with their includes resolved, as scopes that know what they inherit.

Guarantees: every file that was given is part of a configuration or judged as a fragment of its own; what could not be read or is not in the
tree is a `Gap`, and the scopes it might have said something in are no longer `whole`, so that nothing is called missing there.
An address is made of the blocks in the file where something is written, so it does not depend on who includes the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import basename, dirname

from assaymark.checks.platform.webserver.blocks import Block, Configuration
from assaymark.checks.platform.webserver.directives import DEEPEST, MOST_DIRECTIVES, MOST_ROOTS, Directive, Files, Gap
from assaymark.checks.platform.webserver.layout import Layout, is_glob
from assaymark.checks.platform.webserver.nginx_reader import read
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.rulebook import one_line

HOMES = ("/etc/nginx", "/usr/local/etc/nginx", "/usr/local/nginx/conf", "/usr/local/openresty/nginx/conf", "/opt/nginx/conf", "/opt/nginx")
_MAIN = frozenset({"http", "events", "stream", "mail"})
_SERVER = frozenset({"server"})
_TELLING = frozenset({"server", "location", "upstream"})
"""Blocks that tell a file of nginx from others with braces and semicolons."""
_HARMLESS = re.compile(
    r"(?:^|/)(?:mime\.types|(?:fastcgi|scgi|uwsgi)_params|fastcgi\.conf|proxy_params|koi-utf|koi-win|win-utf|fastcgi-php\.conf"
    r"|modules-enabled/[^/]*|modules/[^/]*|naxsi[^/]*)\Z"
)
"""Files that every distribution ships and that hold nothing that a rule asks for."""
OPAQUE = frozenset({"map", "geo", "split_clients", "types", "charset_map", "match", "upstream", "limit_except"})


class Scope(Block, eq=False):
    """A block with its includes resolved."""

    def last(self, name: str) -> str:
        """The value that holds here, empty when nothing is said."""
        found = self.effective(name)
        return found[-1].value if found else ""


Nginx = Configuration[Scope]


def assemble(given: Files) -> Nginx:
    """One model of all files of a tree."""
    return _Assembly(given).run()


class _Assembly:
    def __init__(self, given: Files) -> None:
        self._given = given
        self._files = given.trees
        self._named = given.named
        self._layout = Layout(given.members(), HOMES)
        self._gaps = [gap for name, gap in given.unread.items() if name in given.named]
        self._seen: set[str] = set()
        self._budget = 0
        self._left = MOST_ROOTS * MOST_DIRECTIVES
        """Of all configurations together, so that one that unfolds without end takes nothing from the next."""

    def run(self) -> Nginx:
        made: list[Scope] = []
        main = [name for name in sorted(self._files) if _opens(self._files[name], _MAIN)]
        for name in main:
            made += self._root(name, "main", above=True)
        left = [name for name in sorted(self._files) if name not in self._seen and name not in main]
        included = {target for name in left for target in self._targets(name)} - set(main)
        for name in sorted(left, key=lambda name: (name in included, name)):
            if (
                name not in self._seen
                and not self._layout.is_set_aside(name)
                and (name in self._named or _opens(self._files[name], _TELLING))
            ):
                kind = "http" if _opens(self._files[name], _SERVER) else "fragment"
                made += self._root(name, kind, above=False)
        return Nginx(made, list({(gap.member, gap.line, gap.reason): gap for gap in self._gaps}.values()), self._given.texts)

    def _targets(self, name: str) -> Iterator[str]:
        stack = list(self._files[name])
        while stack:
            each = stack.pop()
            stack.extend(each.block or ())
            if each.name == "include" and each.args:
                yield from self._find(each.args[0], name)

    def _find(self, pattern: str, main: str) -> tuple[str, ...]:
        """Relative to the main file's folder; of a fragment, whose main file is not known, relative to any folder above it."""
        folder = dirname(main)
        while True:
            found = self._layout.find(pattern, folder)
            if found or not folder:
                return found
            folder = dirname(folder)

    def _root(self, name: str, kind: str, *, above: bool) -> Iterator[Scope]:
        scope = Scope(kind, (), None, None, "", [], [], above=above)
        self._budget = granted = min(MOST_DIRECTIVES, self._left)
        try:
            self._fill(scope, name, self._files[name], (name,), 0)
        except Unreadable as why:
            self._gaps.append(Gap(name, why.reason_class, why.reason))
            return
        finally:
            self._left -= granted - max(0, self._budget)
        for each in scope.below():
            if each.parent is not None:
                each.address = _address(each, each.parent)
        yield scope

    def _fill(self, scope: Scope, main: str, directives: Sequence[Directive], chain: tuple[str, ...], depth: int) -> None:
        self._seen.add(chain[-1])
        for each in directives:
            self._budget -= 1
            if depth > DEEPEST or self._budget < 0:
                raise Unreadable("complexity", "the includes of this configuration unfold to more than is read; include less in one place")
            if each.block is not None:
                self._block(scope, main, each, chain, depth)
            elif each.name == "include" and each.args:
                self._include(scope, main, each, chain, depth)
            else:
                scope.entries.append(each)

    def _block(self, scope: Scope, main: str, each: Directive, chain: tuple[str, ...], depth: int) -> None:
        inside = Scope(each.name, each.args, each, scope, "", [], [])
        scope.children.append(inside)
        if each.name not in OPAQUE:
            self._fill(inside, main, each.block or (), chain, depth + 1)
        else:
            inside.entries = [entry for entry in each.block or () if entry.block is None]

    def _include(self, scope: Scope, main: str, each: Directive, chain: tuple[str, ...], depth: int) -> None:
        pattern = each.args[0]
        found = self._find(pattern, main)
        for name in found:
            tree = self._given.tree(name, read)
            if tree is None:
                scope.whole = False
                self._gaps.append(self._given.unread[name])
            elif name not in chain:
                self._fill(scope, main, tree, (*chain, name), depth + 1)
        if found or is_glob(pattern) or _HARMLESS.search(pattern):
            return
        scope.whole = False
        where = f"line {each.span.start_line} includes {one_line(pattern)}, which is not in the tree"
        reason = f"{where}: what it sets was not checked; keep the file beside its server's configuration"
        self._gaps.append(Gap(each.member, "missing", reason, each.span.start_line, f"include {basename(pattern)}"))


def _opens(directives: Sequence[Directive], names: frozenset[str]) -> bool:
    return any(each.name in names and each.block is not None for each in directives)


def _address(scope: Scope, parent: Scope) -> str:
    """The blocks in the file where this one is written, servers by name and port."""
    own = scope.opened
    above = parent.address if own and parent.opened and parent.opened.member == own.member and parent.kind not in _MAIN else ""
    if scope.kind == "server":
        return server_name(scope)
    text = one_line(f"{scope.kind} {' '.join(scope.args)}".strip())
    return f"{above} {text}".strip()


def resource(scope: Scope, entry: Directive) -> str:
    """The address of a directive: of its block when both are written in one file, else of the kind of block that includes the file."""
    if scope.opened is None or scope.opened.member == entry.member:
        return scope.address or ("http" if scope.kind == "http" else "nginx")
    return scope.kind


def server_name(scope: Scope) -> str:
    """``server shop.example.org:80,443``: first name and all ports."""
    names = [name for each in scope.own("server_name") for name in each.args if name not in {"", "_"}]
    ports = sorted({port_of(each) for each in scope.own("listen") if each.args} or {"80"})
    return f"server {names[0] if names else '_'}:{','.join(ports)}"


def port_of(listen: Directive) -> str:
    """The port of a ``listen`` directive, or the name of its socket."""
    address = listen.args[0]
    if address.startswith("unix:"):
        return address
    if address.isdigit():
        return address
    found = re.search(r":(\d+|\$\{?\w+\}?)\Z", address)
    return found[1] if found else "80"


def speaks_tls(server: Scope) -> bool:
    """Whether a server takes TLS connections."""
    return any("ssl" in each.args or "quic" in each.args for each in server.own("listen")) or server.last("ssl") == "on"


def speaks_clear(server: Scope) -> bool:
    """Whether a server takes connections without TLS from the network."""
    if server.last("ssl") == "on":
        return False
    listens = server.own("listen")
    return not listens or any("ssl" not in each.args and "quic" not in each.args and not _local(each) for each in listens)


def _local(listen: Directive) -> bool:
    return not listen.args or re.match(r"unix:|127\.|localhost\b|\[::1\]", listen.args[0]) is not None


def is_local(server: Scope) -> bool:
    """Whether a server listens on this machine only."""
    listens = server.own("listen")
    return bool(listens) and all(_local(each) for each in listens)


def only_redirects(server: Scope) -> bool:
    """Whether every request is answered by a redirect or a refusal of the server block itself."""
    if any(re.match(r"30[12378]\b|4\d\d\b|https://", each.value) for each in server.own("return")):
        return True
    return any(
        each.args[:1] in {("^",), (".*",), ("^(.*)",), ("^(.*)$",), ("^/(.*)$",), ("^/(.*)",)}
        and len(each.args) > 1
        and each.args[1].startswith("https://")
        for each in server.own("rewrite")
    )
