"""The effective configuration of Apache: includes, variables, conditions and macros resolved, as sections that know what surrounds them.

Guarantees: every file that was given is part of a configuration or judged as a fragment of its own; what could not be read or is not in
the tree is a `Gap`, and nothing is called missing beside it. Conditions are decided where the tree itself decides them (`Define`,
`LoadModule`); where only the machine knows, both sides count: what stands there is judged, and what stands there is not missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import basename, dirname

import msgspec
from msgspec import Struct

from assaymark.checks.platform.webserver.apache_reader import read
from assaymark.checks.platform.webserver.blocks import Block, Configuration
from assaymark.checks.platform.webserver.directives import DEEPEST, MOST_DIRECTIVES, MOST_ROOTS, Directive, Files, Gap, walk
from assaymark.checks.platform.webserver.layout import Layout, is_glob
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.rulebook import one_line

HOMES = ("/etc/apache2", "/etc/httpd", "/usr/local/apache2", "/usr/local/etc/apache24", "/usr/local/etc/apache2", "/opt/bitnami/apache")
_ROOT_NAMES = frozenset({"apache2.conf", "httpd.conf"})
_HARMLESS = re.compile(r"(?:^|/)(?:mods-enabled/|conf\.modules\.d/|magic\Z|mime\.types\Z|envvars\Z)")
ALWAYS = frozenset(
    {
        "core.c",
        "http_core.c",
        "mod_so.c",
        "mod_log_config.c",
        "mod_logio.c",
        "mod_version.c",
        "mod_unixd.c",
        "mod_watchdog.c",
        "mod_authz_core.c",
    }
)
"""Modules that every Apache 2.4 has; mod_authz_core could be left out, and then nothing would guard anything."""
_HIGHEST = 6
"""Folders above a file in which its server's root is looked for."""
_LINE_WIDTH = 4_000


class Surroundings(Struct, frozen=True):
    """What is known of the machine; None where nothing is."""

    modules: frozenset[str] | None = None
    """Names like ``mod_ssl.c`` beside those that the tree loads."""
    defines: frozenset[str] | None = None
    version: tuple[int, ...] = (2, 4)


class Section(Block, eq=False):
    """A section with what it includes; ``htaccess`` is a kind as well."""

    order: list[Directive | Section] = msgspec.field(default_factory=list)
    """Entries and children together, as they are written."""
    guarded: bool | None = None
    """Whether it asks who is there, once a rule has found out."""

    def last(self, name: str) -> str:
        """The value that holds here in lower case, empty when nothing is said."""
        found = self.effective(name)
        return found[-1].value.casefold() if found else ""

    def sure(self) -> bool:
        """What is inside counts as well: a condition there may hold what seems to be missing."""
        return super().sure() and all(each.whole for each in self.below())


Apache = Configuration[Section]


def assemble(given: Files, known: Surroundings = Surroundings()) -> Apache:  # noqa: B008  frozen
    """One model of all files of a tree."""
    return _Assembly(given, known).run()


class _State(Struct):
    """What the server remembers while it reads one configuration."""

    main: str
    defines: dict[str, str]
    """Names in lower case, as the server looks variables up."""
    loaded: set[str]
    macros: dict[str, Directive]
    decided: bool
    """Whether the tree says which modules are loaded."""


class _Assembly:
    def __init__(self, given: Files, known: Surroundings) -> None:
        self._given = given
        self._known = known
        self._layout = Layout(given.members(), HOMES)
        self._gaps = [gap for name, gap in given.unread.items() if name in given.named]
        self._seen: set[str] = set()
        self._budget = 0
        self._left = MOST_ROOTS * MOST_DIRECTIVES
        """Of all configurations together, so that one that unfolds without end takes nothing from the next."""

    def run(self) -> Apache:
        trees = self._given.trees
        main = [name for name in sorted(trees) if basename(name) in _ROOT_NAMES or any(each.name == "serverroot" for each in trees[name])]
        roots = [root for name in main for root in self._root(name, "main", above=True)]
        left = [name for name in sorted(trees) if name not in self._seen]
        included = {target for name in left for target in self._targets(name)}
        for name in sorted(left, key=lambda name: (name in included, name)):
            if name not in self._seen and name in self._given.named and not self._layout.is_set_aside(name):
                kind = "htaccess" if basename(name) == ".htaccess" else "fragment"
                roots += self._root(name, kind, above=False)
        return Apache(roots, list({(gap.member, gap.line, gap.reason): gap for gap in self._gaps}.values()), self._given.texts)

    def _targets(self, name: str) -> Iterator[str]:
        for each in walk(self._given.trees[name]):
            if each.name in {"include", "includeoptional"} and each.args:
                yield from self._find(each.args[0], name)

    def _find(self, pattern: str, main: str) -> tuple[str, ...]:
        """Relative to the server's root: the main file's folder or one above (``conf/httpd.conf``, and fragments at any depth)."""
        folders = [dirname(main)]
        while folders[-1] and len(folders) < _HIGHEST:
            folders.append(dirname(folders[-1]))
        for written in (pattern, pattern.rstrip("/") + "/*"):
            for folder in dict.fromkeys(folders):
                found = self._layout.find(written, folder)
                if found:
                    return found
            if is_glob(pattern):
                break
        return ()

    def _root(self, name: str, kind: str, *, above: bool) -> Iterator[Section]:
        section = Section(kind, (), None, None, "", [], [], above=above)
        defines = dict.fromkeys(self._known.defines or (), "")
        state = _State(name, defines, set(self._known.modules or ()), {}, decided=self._known.modules is not None or self._decides(name))
        self._budget = granted = min(MOST_DIRECTIVES, self._left)
        try:
            self._fill(section, state, self._given.trees[name], (name,), 0)
        except Unreadable as why:
            self._gaps.append(Gap(name, why.reason_class, why.reason))
            return
        finally:
            self._left -= granted - max(0, self._budget)
        for each in section.below():
            if each.parent is not None:
                each.address = _address(each, each.parent)
        yield section

    def _decides(self, main: str) -> bool:
        """Whether a configuration loads its modules by itself, all of them inside the tree."""
        seen, waiting, loads = set(), [main], False
        while waiting:
            name = waiting.pop()
            tree = None if name in seen else self._given.tree(name, read)
            seen.add(name)
            for each in walk(tree or ()):
                loads |= each.name == "loadmodule"
                if each.name in {"include", "includeoptional"} and each.args:
                    found = self._find(each.args[0], main)
                    if not found and "mod" in each.args[0]:
                        return False
                    waiting += found
        return loads

    def _fill(self, section: Section, state: _State, directives: Sequence[Directive], chain: tuple[str, ...], depth: int) -> None:
        self._seen.add(chain[-1])
        for raw in directives:
            self._budget -= 1
            if depth > DEEPEST or self._budget < 0:
                raise Unreadable("complexity", "the includes of this configuration unfold to more than is read; include less in one place")
            each = raw if raw.name == "macro" else _with_variables(raw, state.defines)
            if each.block is not None:
                self._block(section, state, each, chain, depth)
            else:
                self._entry(section, state, each, chain, depth)

    def _entry(self, section: Section, state: _State, each: Directive, chain: tuple[str, ...], depth: int) -> None:
        match each.name:
            case "include" | "includeoptional" if each.args:
                self._include(section, state, each, chain, depth)
            case "define" if each.args:
                state.defines[each.args[0].casefold()] = each.args[1] if len(each.args) > 1 else ""
            case "undefine" if each.args:
                state.defines.pop(each.args[0].casefold(), None)
            case "loadmodule" if each.args:
                state.loaded.add(_file_of(each.args[0]))
            case "use" if each.args and each.args[0].casefold() in state.macros:
                body = _unfolded(state.macros[each.args[0].casefold()], each.args[1:])
                self._fill(section, state, body, chain, depth + 1)
            case _:
                section.entries.append(each)
                section.order.append(each)

    def _block(self, section: Section, state: _State, each: Directive, chain: tuple[str, ...], depth: int) -> None:
        if each.name == "macro":
            if each.args:
                state.macros[each.args[0].casefold()] = each
            return
        if each.name in {"ifmodule", "ifdefine", "ifversion", "iffile", "ifdirective", "ifsection"}:
            if self._holds(each, state):
                self._fill(section, state, each.block or (), chain, depth + 1)
            return
        inside = Section(each.name, each.args, each, section, "", [], [])
        section.children.append(inside)
        section.order.append(inside)
        self._fill(inside, state, each.block or (), chain, depth + 1)

    def _holds(self, each: Directive, state: _State) -> bool:
        """Whether the content of a condition counts; where only the machine knows, it does."""
        word = each.args[0] if each.args else ""
        negated, word = word.startswith("!"), word.lstrip("!")
        match each.name:
            case "ifmodule":
                name = _file_of(word)
                if name in ALWAYS or name in state.loaded:
                    return not negated
                return negated if state.decided else True
            case "ifdefine":
                if word.casefold() in state.defines:
                    return not negated
                return negated if self._known.defines is not None else True
            case "ifversion":
                return _version_holds(each.args, self._known.version)
            case _:
                return True

    def _include(self, section: Section, state: _State, each: Directive, chain: tuple[str, ...], depth: int) -> None:
        pattern = each.args[0]
        found = self._find(pattern, state.main)
        for name in found:
            tree = self._given.tree(name, read)
            if tree is None:
                section.whole = False
                self._gaps.append(self._given.unread[name])
            elif name not in chain:
                self._fill(section, state, tree, (*chain, name), depth + 1)
        if found or is_glob(pattern) or each.name == "includeoptional" or _HARMLESS.search(pattern):
            return
        section.whole = False
        where = f"line {each.span.start_line} includes {one_line(pattern)}, which is not in the tree"
        reason = f"{where}: what it sets was not checked; keep the file beside its server's configuration"
        self._gaps.append(Gap(each.member, "missing", reason, each.span.start_line, f"include {basename(pattern)}"))


def _with_variables(each: Directive, defines: dict[str, str]) -> Directive:
    if not any("${" in word for word in each.args):
        return each

    def value(found: re.Match[str]) -> str:
        return defines.get(found[1].casefold(), found[0])

    args = tuple(re.sub(r"\$\{([^{}:]+)\}", value, word)[:_LINE_WIDTH] for word in each.args)
    return msgspec.structs.replace(each, args=args)


def _unfolded(macro: Directive, values: Sequence[str]) -> tuple[Directive, ...]:
    """A macro's body with its parameters replaced, the longest name first as the server does."""
    pairs = sorted(zip(macro.args[1:], values, strict=False), key=lambda pair: -len(pair[0]))

    def changed(text: str) -> str:
        for name, value in pairs:
            if name:
                text = text.replace(name, value)[:_LINE_WIDTH]
        return text

    def copy(each: Directive) -> Directive:
        block = tuple(copy(inner) for inner in each.block) if each.block is not None else None
        return msgspec.structs.replace(each, args=tuple(changed(word) for word in each.args), block=block)

    return tuple(copy(each) for each in macro.block or ())


def _file_of(module: str) -> str:
    """``ssl_module`` and ``mod_ssl.c`` are two names of one module."""
    name = module.casefold()
    return f"mod_{name.removesuffix('_module')}.c" if name.endswith("_module") else name


def _version_holds(args: tuple[str, ...], version: tuple[int, ...]) -> bool:
    """``<IfVersion >= 2.4>``; where the number is finer than what is known, it may hold and so it does."""
    operator, text = (args[0], args[1]) if len(args) > 1 else ("=", args[0] if args else "")
    negated, operator = operator.startswith("!"), operator.lstrip("!")
    if re.fullmatch(r"\d{1,4}(?:\.\d{1,4}){0,2}", text) is None:
        return True
    wanted = tuple(int(part) for part in text.split("."))
    size = min(len(wanted), len(version))
    ours, theirs = version[:size], wanted[:size]
    if ours == theirs and len(wanted) > len(version):
        return True
    holds = {">=": ours >= theirs, ">": ours > theirs, "<": ours < theirs, "<=": ours <= theirs}.get(operator, ours == theirs)
    return holds != negated


def _address(section: Section, parent: Section) -> str:
    """The sections in the file where this one is written, virtual hosts by name and port."""
    own = section.opened
    above = parent.address if own and parent.opened and parent.opened.member == own.member else ""
    text = host_address(section) if section.kind == "virtualhost" else one_line(f"{section.kind} {' '.join(section.args)}".strip())
    return f"{above} {text}".strip()


def host_address(section: Section) -> str:
    """``virtualhost shop.example.org:443``: its name, and the ports it listens on."""
    names = [each.args[0].partition("://")[2] or each.args[0] for each in section.own("servername") if each.args]
    ports = sorted({arg.rpartition(":")[2] for arg in section.args if ":" in arg})
    name = names[0].partition(":")[0] if names else "_"
    return f"virtualhost {name}:{','.join(ports) or '*'}"


def resource(section: Section, entry: Directive) -> str:
    """The address of a directive: of its section when both are written in one file, else of the kind of section that includes the file."""
    if section.opened is None or section.opened.member == entry.member:
        return section.address or ("htaccess" if section.kind == "htaccess" else "server")
    return section.kind
