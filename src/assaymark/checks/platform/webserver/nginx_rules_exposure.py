"""Rules of nginx: what is shown to everybody that should not be, and rights that are too wide."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.nginx_model import Nginx, Scope, is_local, only_redirects, resource
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import covers_everybody, is_system_folder, lies_below

_GUARDS = ("deny", "auth_basic", "auth_request", "auth_jwt", "internal", "access_by_lua_block", "access_by_lua_file", "ssl_verify_client")
_HIDDEN = re.compile(r"/(?:\((?:\?:)?)?\\?\.|\\\.git|\(\?:?\^\|/\)\\\.|\.git\b")
_MOST_ROOTS = 50
"""Document roots of one server that a key is looked for below."""
_PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass")


def _guarded(scope: Scope) -> bool:
    """Whether something here or above asks who is there."""
    return any(each.args != ("off",) for name in _GUARDS for each in scope.effective(name))


def directory_listing(config: Nginx) -> Iterator[Found]:
    """Folders without an index page show what lies in them."""
    for scope, entry in config.every("autoindex"):
        if entry.args == ("on",) and not _guarded(scope):
            message = "Whoever asks for a folder gets the list of its files"
            yield at(entry, "directory-listing", resource(scope, entry), "autoindex", message)


def version_shown(config: Nginx) -> Iterator[Found]:
    """Every answer names the server's version."""
    for scope, entry in config.every("server_tokens"):
        if entry.args in {("on",), ("build",)}:
            yield at(entry, "version-shown", resource(scope, entry), "server_tokens", "Answers and error pages name nginx's version")
    for http in config.blocks("http"):
        silent = any(
            each.name in {"server_tokens", "more_clear_headers", "more_set_headers"} for scope in http.below() for each in scope.entries
        )
        if http.opened and http.sure() and all(scope.whole for scope in http.below()) and not silent:
            message = "nginx names its version in answers and error pages unless it is told not to"
            yield at(http.opened, "version-shown", "http", "server_tokens", message)


def allow_without_deny(config: Nginx) -> Iterator[Found]:
    """Addresses are allowed and nobody is refused, so the list means nothing."""
    for scope in config.blocks():
        allowed, refused = scope.own("allow"), scope.own("deny")
        if not allowed or refused or not scope.whole or any(each.args[:1] == ("all",) for each in allowed):
            continue
        if scope.last("satisfy") == "any" and any(scope.effective(name) for name in ("auth_basic", "auth_request", "auth_jwt")):
            continue
        message = "Without `deny all` everybody else is let in as well"
        yield at(allowed[0], "allow-without-deny", resource(scope, allowed[0]), "allow", message)


def status_open(config: Nginx) -> Iterator[Found]:
    """The status page answers everybody."""
    for scope, entry in config.every("stub_status", "vhost_traffic_status_display", "check_status"):
        server = scope.up("server")
        if not _guarded(scope) and not (server and is_local(server)):
            yield at(entry, "status-open", resource(scope, entry), entry.name, "The status page tells everybody what the server is doing")


def control_open(config: Nginx) -> Iterator[Found]:
    """An interface that changes the server's upstreams answers everybody."""
    for scope, entry in config.every("api"):
        server = scope.up("server")
        if "write=on" in entry.args and not _guarded(scope) and not (server and is_local(server)):
            yield at(
                entry, "control-open", resource(scope, entry), "api write", "Everybody can redirect the traffic through this interface"
            )


def files_writable(config: Nginx) -> Iterator[Found]:
    """WebDAV methods that write, without asking who is there."""
    for scope, entry in config.every("dav_methods"):
        limited = any(child.kind == "limit_except" for child in scope.children)
        if {"PUT", "DELETE", "MOVE", "COPY"} & set(entry.args) and not _guarded(scope) and not limited:
            yield at(entry, "files-writable", resource(scope, entry), "dav_methods", "Everybody can write and delete files here")


def system_folder(config: Nginx) -> Iterator[Found]:
    """A document root that holds the machine's own files."""
    for scope, entry in config.every("root", "alias"):
        if entry.args and is_system_folder(entry.args[0]) and not _internal(scope):
            message = f"{entry.args[0]} is served as a website: configuration, accounts and keys are in it"
            yield at(entry, "system-folder-served", resource(scope, entry), entry.name, message)


def _internal(scope: Scope) -> bool:
    """Whether nothing outside reaches the files: an internal location, or one that only refuses or passes on."""
    location = scope.up("location")
    if location is None:
        return False
    return bool(location.effective("internal")) or any(location.own(name) for name in ("return", *_PASSES))


def key_in_root(config: Nginx) -> Iterator[Found]:
    """The private key lies below a document root."""
    for server in config.blocks("server"):
        roots = [each for scope in server.below() for each in scope.own("root")] or server.effective("root")
        roots = roots[:_MOST_ROOTS]
        for key in server.effective("ssl_certificate_key")[:_MOST_ROOTS]:
            folders = [root.args[0] for root in roots if key.args and root.args and lies_below(key.args[0], root.args[0])]
            if folders:
                message = "The private key lies in a folder that is served, so anybody can fetch it"
                yield at(key, "key-in-document-root", resource(server, key), "ssl_certificate_key", message)


def hidden_files(config: Nginx) -> Iterator[Found]:
    """A site from a working copy: nothing refuses .git, .env and the like."""
    for server in config.blocks("server"):
        roots = [each for each in server.own("root") if each.args]
        if not roots or not server.sure() or only_redirects(server) or any(not scope.whole for scope in server.below()):
            continue
        locations = [scope for scope in server.below() if scope.kind == "location"]
        if any(_HIDDEN.search(_without_lookahead(scope)) and "well-known" not in _without_lookahead(scope) for scope in locations):
            continue
        if _only_passes(server):
            continue
        message = "Files that begin with a dot (.git, .env) are served like any other if they are in the folder"
        yield at(roots[0], "hidden-files-served", resource(server, roots[0]), "location /.", message)


def _without_lookahead(location: Scope) -> str:
    """The expression without what it leaves out, and without Apache's own files: refusing those says nothing about the others."""
    return re.sub(r"\(\?![^)]*\)|/\\?\.ht\w*", "", " ".join(location.args))


def _only_passes(server: Scope) -> bool:
    """Whether `/` goes to an application, so that files are served from other locations only."""
    whole = [scope for scope in server.children if scope.kind == "location" and scope.args == ("/",)]
    return any(scope.own(name) or scope.own("return") for scope in whole for name in _PASSES)


def runs_as_root(config: Nginx) -> Iterator[Found]:
    """The workers that read requests have all rights."""
    for scope, entry in config.every("user"):
        if entry.args[:1] == ("root",):
            message = "A hole in the server or a module gives all rights of the machine"
            yield at(entry, "runs-as-root", resource(scope, entry), "user", message)


def body_unlimited(config: Nginx) -> Iterator[Found]:
    """Requests of any size are taken."""
    for scope, entry in config.every("client_max_body_size"):
        if re.fullmatch(r"0[kKmMgG]?", entry.value):
            message = "A request may be as large as the disk that it is stored on"
            yield at(entry, "body-unlimited", resource(scope, entry), "client_max_body_size", message)


def debug_log(config: Nginx) -> Iterator[Found]:
    """The error log holds what only a debugger needs."""
    for scope, entry in config.every("error_log"):
        if "debug" in entry.args[1:]:
            message = "At this level the log holds whole requests, with cookies and passwords"
            yield at(entry, "debug-log", resource(scope, entry), "error_log", message)


def no_catch_all(config: Nginx) -> Iterator[Found]:
    """Requests for foreign names are answered by whichever server comes first."""
    for http in config.blocks("http"):
        servers = [scope for scope in http.below() if scope.kind == "server"]
        if not http.sure() or len(servers) < 2 or http.opened is None or any(not scope.whole for scope in http.below()):
            continue
        if not any(_takes_all(server) for server in servers):
            message = "No server is the default: a request for any other name is answered by the first one"
            yield at(http.opened, "no-catch-all", "http", "default_server", message)


def _takes_all(server: Scope) -> bool:
    if any(word in {"default_server", "default"} for each in server.own("listen") for word in each.args):
        return True
    names = [name for each in server.own("server_name") for name in each.args]
    return not names or bool({"_", ""} & set(names)) or server.last("ssl_reject_handshake") == "on"


def everybody_is_proxy(config: Nginx) -> Iterator[Found]:
    """Any client may say which address it comes from."""
    for scope, entry in config.every("set_real_ip_from"):
        if entry.args and covers_everybody(entry.args[0]):
            message = "Every client may name the address it is judged by"
            yield at(entry, "client-address-forged", resource(scope, entry), f"set_real_ip_from {entry.value}", message)


def address_from_header(config: Nginx) -> Iterator[Found]:
    """Addresses that the client names itself are passed on as true."""
    for scope, entry in config.every("proxy_set_header", "fastcgi_param"):
        if len(entry.args) < 2 or entry.args[0].casefold() not in {"x-real-ip", "x-forwarded-for", "remote_addr"}:
            continue
        server = scope.up("server")
        if re.fullmatch(r"\$\{?http_(?:x_forwarded_for|x_real_ip|client_ip|true_client_ip)\}?", entry.args[1]) and not (
            server and is_local(server)
        ):
            message = f"The client itself chooses what the application takes for its address ({entry.args[1]})"
            yield at(entry, "client-address-forged", resource(scope, entry), f"{entry.name} {entry.args[0]}", message)


def slashes_kept(config: Nginx) -> Iterator[Found]:
    """`//admin` no longer matches the location that guards `/admin`."""
    for scope, entry in config.every("merge_slashes"):
        if entry.args == ("off",):
            message = "A doubled slash gets past the locations that guard a path, and is passed on as written"
            yield at(entry, "slashes-kept", resource(scope, entry), "merge_slashes", message)


def odd_headers(config: Nginx) -> Iterator[Found]:
    """Header names that servers read differently are passed on."""
    for scope, entry in config.every("ignore_invalid_headers", "underscores_in_headers"):
        if entry.args == ({"ignore_invalid_headers": "off", "underscores_in_headers": "on"}[entry.name],):
            message = "X_User and X-User are one header to many applications: clients can forge those that the proxy sets"
            yield at(entry, "odd-headers-passed", resource(scope, entry), entry.name, message)


def uploads_run(config: Nginx) -> Iterator[Found]:
    """PHP takes the longest existing file for the script, so `/picture.jpg/x.php` runs the picture."""
    for location in config.blocks("location"):
        entries = location.own("fastcgi_pass")
        if not entries or location.args[:1] not in {("~",), ("~*",)}:
            continue
        regex = " ".join(location.args[1:])
        tried = [each for name in ("try_files", "fastcgi_split_path_info") for each in location.own(name)]
        exists = any(child.kind == "if" and "-f" in " ".join(child.args) for child in location.children)
        fixed = any(
            each.args[:1] == ("SCRIPT_FILENAME",) and "$fastcgi_script_name" not in each.value for each in location.own("fastcgi_param")
        )
        harmless = tried or exists or fixed or not location.whole or location.effective("internal")
        single = re.search(r"\^/\w[\w/.|()?:-]*\\?\.php", regex)
        if "php" in regex and not harmless and not single:
            message = "A path behind an uploaded file makes PHP run that file, unless PHP itself is told not to"
            yield at(entries[-1], "uploads-run", resource(location, entries[-1]), "fastcgi_pass", message)
