"""Rules of Apache: what is shown to everybody that should not be, and rights that are too wide."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.apache_model import Apache, Section, resource
from assaymark.checks.platform.webserver.apache_rules_tls import only_redirects
from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import is_system_folder, lies_below
from assaymark.model.severity import Severity

_REQUIRES = ("requireall", "requireany", "requirenone")
_HANDLERS = {
    "server-status": ("status-open", "The status page shows every request with its address and client"),
    "server-info": ("status-open", "The information page shows the whole configuration"),
    "balancer-manager": ("control-open", "Everybody can take servers out of service or redirect the traffic"),
    "ldap-status": ("status-open", "The status page shows what the directory is asked for"),
}
_DOTS = re.compile(r"\\\.|/\.|\.git|\(\^\|/\)|\[\.\]|\*\*?/\.|^\.")


def _requirements(section: Section) -> Iterator[Directive]:
    """What a section asks for, also inside groups."""
    yield from section.own("require")
    for child in section.children:
        if child.kind in {*_REQUIRES, "limitexcept"}:
            yield from _requirements(child)


def guarded(section: Section) -> bool:
    """Whether a section, or one around it below the virtual host, asks who is there."""
    if section.guarded is None:
        section.guarded = _is_guarded(section)
    return section.guarded


def _is_guarded(section: Section) -> bool:
    if section.kind in {"virtualhost", "main", "fragment"}:
        return False
    rows = list(_requirements(section))
    if rows:
        return not any([arg.casefold() for arg in row.args[:2]] == ["all", "granted"] for row in rows)
    if section.own("deny") or section.own("allow"):
        return "from all" not in [each.value.casefold() for each in section.own("allow")]
    if section.own("authtype"):
        return True
    return section.parent is not None and guarded(section.parent)


def directory_listing(config: Apache) -> Iterator[Found]:
    """Folders without an index page show what lies in them."""
    for section in config.blocks():
        listing = [entry for entry in section.own("options") if {arg.casefold().lstrip("+") for arg in entry.args} & {"indexes", "all"}]
        for entry in [] if not listing or guarded_by_login(section) else listing:
            message = "Whoever asks for a folder without an index page gets the list of its files"
            yield at(entry, "directory-listing", resource(section, entry), "Options Indexes", message)


def guarded_by_login(section: Section) -> bool:
    """Whether a folder asks for a login or refuses everybody: where all are let in, a listing is public."""
    rows = [row for row in _requirements(section) if row.args]
    return bool(rows) and all(row.args[0].casefold() != "all" or row.args[1:2] == ("denied",) for row in rows)


def programs_in_pages(config: Apache) -> Iterator[Found]:
    """Server side includes that may run programs."""
    for section, entry in config.every("options"):
        words = {arg.casefold().lstrip("+") for arg in entry.args}
        if "includes" in words:
            message = "Whoever can write a page here can run programs with it (`#exec`)"
            yield at(entry, "programs-in-pages", resource(section, entry), "Options Includes", message)


def version_shown(config: Apache) -> Iterator[Found]:
    """Answers name the server's version and modules."""
    for section, entry in config.every("servertokens", "serversignature"):
        name = "ServerTokens" if entry.name == "servertokens" else "ServerSignature"
        value = entry.value.casefold()
        if value in {"full", "os", "min", "minimal", "minor", "major"} or (entry.name == "serversignature" and value in {"on", "email"}):
            yield at(entry, "version-shown", resource(section, entry), name, f"{name} {entry.value} makes answers name more than `Apache`")


def trace_enabled(config: Apache) -> Iterator[Found]:
    """The TRACE method sends the request back, with headers that scripts must not read."""
    for section, entry in config.every("traceenable"):
        if entry.value.casefold() in {"on", "extended"}:
            yield at(
                entry, "trace-enabled", resource(section, entry), "TraceEnable", "TRACE sends cookies and proxy headers back in the body"
            )


def status_open(config: Apache) -> Iterator[Found]:
    """A handler that shows or changes the server's inside answers everybody."""
    for section, entry in config.every("sethandler"):
        known = _HANDLERS.get(entry.value.casefold())
        location = section.up("location", "locationmatch", "files", "directory")
        if known and location is not None and location.whole and not guarded(location):
            found = at(entry, known[0], resource(section, entry), f"SetHandler {entry.value.casefold()}", known[1])
            yield found.graded(Severity.LOW) if entry.value.casefold() == "ldap-status" else found


def _opens_all(section: Section) -> Iterator[Directive]:
    for each in section.own("require"):
        if [arg.casefold() for arg in each.args] == ["all", "granted"]:
            yield each
    for each in section.own("allow"):
        if [arg.casefold() for arg in each.args] == ["from", "all"] and not section.own("require"):
            yield each


def file_system_open(config: Apache) -> Iterator[Found]:
    """Every file of the machine may be served as soon as a path leads to it."""
    for section in config.blocks("directory"):
        if section.args[:1] != ("/",):
            continue
        for entry in _opens_all(section):
            message = "Any alias, link or rewrite that leads out of the pages can serve any file of the machine"
            yield at(entry, "file-system-open", resource(section, entry), "Require all granted", message)


def overrides_allowed(config: Apache) -> Iterator[Found]:
    """Files in the pages' folders may change the server's settings."""
    for section, entry in config.every("allowoverride"):
        if entry.value.casefold() == "all":
            message = "Whoever can write a file here can change handlers, access and headers with a .htaccess"
            yield at(entry, "overrides-allowed", resource(section, entry), "AllowOverride", message)


def system_folder(config: Apache) -> Iterator[Found]:
    """A document root or alias that shows the machine's own files."""
    for section, entry in config.every("documentroot", "alias", "scriptalias"):
        path = entry.args[-1] if entry.args else ""
        if is_system_folder(path) and not (entry.name != "documentroot" and len(entry.args) < 2):
            name = {"documentroot": "DocumentRoot", "alias": "Alias"}.get(entry.name, "ScriptAlias")
            message = f"{path} is served as a website: configuration, accounts and keys are in it"
            yield at(entry, "system-folder-served", resource(section, entry), name, message)


def key_in_root(config: Apache) -> Iterator[Found]:
    """The private key lies below a document root."""
    for section, entry in config.every("sslcertificatekeyfile"):
        roots = [each.args[0] for each in section.effective("documentroot")[-1:] if each.args]
        if any(entry.args and lies_below(entry.args[0], root) for root in roots):
            message = "The private key lies in a folder that is served, so anybody can fetch it"
            yield at(entry, "key-in-document-root", resource(section, entry), "SSLCertificateKeyFile", message)


def hidden_files(config: Apache) -> Iterator[Found]:
    """A site from a working copy: nothing refuses .git, .env and the like."""
    outside: dict[int, bool] = {}
    for host in config.blocks("virtualhost"):
        roots = [each for each in host.own("documentroot") if each.args]
        if not roots or not host.sure() or only_redirects(host) or any(_refuses_dots(section) for section in host.below()):
            continue
        if id(host.parent) not in outside:
            outside[id(host.parent)] = any(_refuses_dots(section) for section in _around(host))
        if outside[id(host.parent)]:
            continue
        if any(each.args[:1] == ("/",) for each in host.own("proxypass")):
            continue
        message = "Files that begin with a dot (.git, .env) are served like any other if they are in the folder"
        yield at(roots[0], "hidden-files-served", resource(host, roots[0]), "DirectoryMatch /.", message)


def _around(host: Section) -> Iterator[Section]:
    """All sections outside of hosts that bear on a host."""
    above = host.parent
    while above is not None:
        yield above
        for child in above.children:
            if child.kind != "virtualhost":
                yield from child.below()
        above = above.parent


_PLACES = frozenset({"directorymatch", "locationmatch", "filesmatch", "files", "directory", "location"})


def _refuses_dots(section: Section) -> bool:
    args = [re.sub(r"\(\?![^)]*\)", "", arg) for arg in section.args]
    names = [arg for arg in args if arg != "~" and _DOTS.search(arg) and not re.search(r"\.ht|well-known", arg)]
    if section.kind in _PLACES and names and guarded(section):
        return True
    rules = [each for name in ("rewriterule", "redirectmatch") for each in section.own(name)]
    return any(
        re.search(r"\\\.(?!\w*\$)|\.git", each.value) and re.search(r"\b(?:F|404|403|410)\b|\[[^\]]*F", each.value) for each in rules
    )


def body_unlimited(config: Apache) -> Iterator[Found]:
    """Requests of any size are taken."""
    for section, entry in config.every("limitrequestbody"):
        if entry.value == "0":
            message = "A request may be as large as the disk that it is stored on"
            yield at(entry, "body-unlimited", resource(section, entry), "LimitRequestBody", message)


def debug_log(config: Apache) -> Iterator[Found]:
    """Logs and pages hold what only a debugger needs."""
    for section, entry in config.every("loglevel"):
        if any(re.fullmatch(r"(?:[\w.]+:)?(?:debug|trace[1-8])", arg.casefold()) for arg in entry.args):
            yield at(entry, "debug-log", resource(section, entry), "LogLevel", "At this level the log holds headers and parts of requests")
    for section, entry in config.every("php_flag", "php_admin_flag", "php_value", "php_admin_value"):
        shown = entry.args[:1] == ("display_errors",) and entry.args[1:2] and entry.args[1].casefold() in {"on", "1", "true", "stdout"}
        if shown:
            message = "Error messages of PHP with paths and queries go to whoever provokes them"
            yield at(entry, "errors-shown", resource(section, entry), "display_errors", message)


def files_writable(config: Apache) -> Iterator[Found]:
    """WebDAV without asking who is there."""
    for section, entry in config.every("dav"):
        place = section.up("location", "directory")
        if entry.value.casefold() != "off" and place is not None and place.whole and not guarded(place):
            limited = any(child.kind in {"limit", "limitexcept"} and list(_requirements(child)) for child in place.children)
            if not limited:
                yield at(entry, "files-writable", resource(section, entry), "Dav", "Everybody can write and delete files here")


def limit_trap(config: Apache) -> Iterator[Found]:
    """A login that is asked for some methods only: all others pass."""
    for section in config.blocks("limit"):
        rows = [
            row for row in section.own("require") if row.args[:1] and row.args[0].casefold() in {"valid-user", "user", "group", "ldap-user"}
        ]
        methods = {arg.upper() for arg in section.args}
        if rows and section.opened and "GET" in methods:
            message = "Only the methods named here are guarded; a request with any other one (even an invented one) passes"
            yield at(section.opened, "limit-trap", section.address, "Limit", message)


def uploads_run(config: Apache) -> Iterator[Found]:
    """A handler by extension also fits names with a second extension: `picture.php.jpg` runs."""
    for section, entry in config.every("addhandler"):
        script = entry.args[:1] and re.search(r"php|cgi-script|x-httpd", entry.args[0], re.IGNORECASE)
        named = any(re.fullmatch(r"\.?(?:php\d?|phtml|pl|py|cgi)", arg, re.IGNORECASE) for arg in entry.args[1:])
        if script and named and section.up("files", "filesmatch") is None:
            message = "AddHandler looks at every extension of a name, so an uploaded picture.php.jpg is run"
            yield at(entry, "uploads-run", resource(section, entry), "AddHandler", message)


def htaccess_served(config: Apache) -> Iterator[Found]:
    """Files with rules and password hashes are served as text."""
    for root in config.blocks("main"):
        used = any(each.value.casefold() != "none" for inner in root.below() for each in inner.own("allowoverride"))
        sections = [inner for inner in root.below() if inner.kind in {"files", "filesmatch"}]
        closed = any(re.search(r"\.ht|\^\\\.", arg) for inner in sections for arg in inner.args)
        first = next((each for inner in root.below() for each in inner.own("allowoverride") if each.value.casefold() != "none"), None)
        if used and not closed and root.sure() and first is not None:
            message = "Nothing refuses .htaccess and .htpasswd: whoever asks gets rules and password hashes"
            yield at(first, "htaccess-served", "server", "Files .ht*", message)
