"""Text of others that is run: SQL, queries of document stores, commands, code, templates, expressions, objects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.javascript.looks import assigned
from assaymark.checks.application.patterns.rules import (
    BUILT,
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    Worth,
    argument,
    called,
    into,
    judged,
    looked,
    option,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Gathered
from assaymark.checks.application.patterns.values import Value

_SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*)?\(?\s*"
    r"(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|call|exec|grant|set|show|where|order)\b",
    re.IGNORECASE,
)
_SHELLS = re.compile(r"(?:.*/)?(?:ba|z|da|k|c)?sh|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh")
_DATABASE = re.compile(
    r"(?:^|\.|_)(?:db|database|pool|conn|connection|client|knex|sequelize|pg|mysql2?|sqlite3?|sql|tx|trx|transaction|manager|dataSource"
    r"|queryRunner|models\.sequelize)(?:\(\))?\.",
    re.IGNORECASE,
)


def _no_sql(place: Place, value: Value) -> bool:
    """True when the text does not begin as SQL does, and the receiver does not sound like a database either."""
    if value.prefix.strip():
        return not _SQL.match(value.prefix)
    path = place.call.path if place.call else ""
    return not (
        value.foreign and _DATABASE.search(path) and path.rpartition(".")[2] not in ("get", "all", "each", "run", "execute", "exec")
    )


def _document_query(place: Place) -> Iterator[Hit]:
    """A query of a document store whose condition is an object that the request sends."""
    call = place.call
    if call is None or call.receiver is None or not call.args or call.path.startswith(("lodash.", "_.", "Array.", "this.state")):
        return
    shape = place.flow.resolved(call.args[0])
    parts = shape.parts if isinstance(shape, Gathered) and call.name != "aggregate" else ()
    for key, part in zip(shape.keys if isinstance(shape, Gathered) else (), parts, strict=False):
        if key == "where":
            continue
        found = judged(place.flow.value(part), "nosql", FOREIGN)
        if found and not place.flow.value(part).built:
            yield Hit(call.node, found[0], found[1])
            return
    if not isinstance(shape, Gathered) and call.name not in ("find", "remove"):
        found = judged(place.flow.value(call.args[0]), "nosql", FOREIGN)
        if found:
            yield Hit(call.node, found[0] + LESS, found[1])


def _where_code(place: Place) -> Iterator[Hit]:
    """``$where`` holds code of the database."""
    pair = place.leaf.parent
    while pair is not None and pair.type in ("string", "property_identifier"):
        pair = pair.parent
    value = pair.child_by_field_name("value") if pair is not None and pair.type == "pair" else None
    found = judged(place.flow.value(value), "code", Worth(built=LESS)) if value is not None else None
    if found and pair is not None:
        yield Hit(pair, found[0], found[1])


def _with_shell(place: Place) -> Iterator[Hit]:
    """``spawn`` runs a shell when it is told to, or when the program is one."""
    call = place.call
    if call is None or not re.fullmatch(r"(?:child_process|cross-spawn|execa)(?:\.\w+)?", call.path) or not call.args:
        return
    program = argument(place, 0)
    shell = next((text_of(place, option(place, call, at, "shell")) for at in (1, 2) if option(place, call, at, "shell") is not None), None)
    runs_shell = (shell not in (None, "false")) or (program is not None and bool(_SHELLS.fullmatch(program)))
    for at, node in enumerate(call.args[:2]):
        value = place.flow.value(node)
        worth = Worth(built=LESS) if runs_shell else FOREIGN if at == 0 else None
        found = judged(value, "shell", worth) if worth else None
        if found:
            yield Hit(call.node, found[0], found[1])
            return


def _code_timer(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or call.path not in ("setTimeout", "setInterval", "window.setTimeout", "window.setInterval") or not call.args:
        return
    value = place.flow.value(call.args[0])
    found = judged(value, "code", Worth(foreign=LESS, built=LESS))
    if found and (value.prefix or value.foreign):
        yield Hit(call.node, found[0], found[1])


def _polluted(place: Place) -> Iterator[Hit]:
    """``target[key][other] = value`` with a key that the request names."""
    for left, right in assigned(place):
        if left.type != "subscript_expression":
            continue
        outer = left.child_by_field_name("object")
        keys = [node.child_by_field_name("index") for node in (left, outer) if node is not None and node.type == "subscript_expression"]
        values = [place.flow.value(key) for key in keys if key is not None]
        if len(values) == 2 and values[-1].harms("key"):
            yield Hit(right, LESS, values[-1].foreign)


def _yaml_full(place: Place, call: Called) -> bool | int | None:
    schema = option(place, call, 1, "schema")
    written = place.speech.text.of(schema) if schema is not None else ""
    if written:
        return True if "FULL" in written or "UNSAFE" in written else None
    return None


_PARAMETERS = "Write the statement as constant text with placeholders and hand the values over beside it (`query(sql, [value])`)."
_PROGRAM = "Call `execFile` or `spawn` with a constant program and the values as list, without `shell`; check values that could be options."
_CODE = "Choose the action from a map of functions in the program; read data with JSON.parse."

RULES: tuple[Rule, ...] = (
    into(
        "sql-built",
        "sql",
        {
            **{
                f"*.{name}": (0, "0.sql", "0.text")
                for name in ("query", "execute", "raw", "queryRaw", "any", "one", "none", "many", "manyOrNone", "oneOrNone")
            },
            **{
                f"*.{name}": (0,)
                for name in (
                    "$queryRawUnsafe",
                    "$executeRawUnsafe",
                    "whereRaw",
                    "havingRaw",
                    "orderByRaw",
                    "joinRaw",
                    "groupByRaw",
                    "unsafe",
                )
            },
            **{f"*.{name}": (0,) for name in ("run", "all", "each", "get", "prepare", "exec", "literal")},
        },
        unless=_no_sql,
        message="SQL is put together of text and values.",
        advice=_PARAMETERS,
    ),
    looked(
        "nosql-operators",
        (
            "find",
            "findOne",
            "findOneAndUpdate",
            "findOneAndDelete",
            "findOneAndReplace",
            "updateOne",
            "updateMany",
            "deleteOne",
            "deleteMany",
            "countDocuments",
            "remove",
        ),
        _document_query,
        message="The condition of the query is a value of the request, which may be an object with operators.",
        advice="Make text of it first (`String(value)`), or check it against a schema; refuse objects where text is expected.",
    ),
    looked(
        "nosql-where",
        ("$where", "$accumulator", "$function"),
        _where_code,
        message="Code for the database is put together of values.",
        advice="Use query operators instead of code, and switch server-side code off in the database.",
    ),
    into(
        "command-built",
        "shell",
        {
            **{f"child_process.{name}": (0,) for name in ("exec", "execSync")},
            "shelljs.exec": (0,),
            "execa.command": (0,),
            "execa.commandSync": (0,),
            "execa.execaCommand": (0,),
            "execa.execaCommandSync": (0,),
            "ssh2.*.exec": (0,),
            "node-cmd.run": (0,),
            "node-cmd.get": (0,),
        },
        message="A command line for a shell is put together of text and values.",
        advice=_PROGRAM,
    ),
    looked(
        "shell-arguments",
        ("spawn", "spawnSync", "execFile", "execFileSync", "fork", "execa"),
        _with_shell,
        message="A program is started through a shell, or is chosen by a value of the request.",
        advice=_PROGRAM,
    ),
    into(
        "eval",
        "code",
        {"eval": (0,), "window.eval": (0,), "globalThis.eval": (0,), "global.eval": (0,), "new? Function": (-1,), "execScript": (0,)},
        worth=Worth(built=LESS, unknown=LEAST),
        message="A value is run as code.",
        advice=_CODE,
    ),
    into(
        "vm",
        "code",
        {
            **{f"vm.{name}": (0,) for name in ("runInNewContext", "runInThisContext", "runInContext", "compileFunction")},
            "new vm.Script": (0,),
            "*.NodeVM().run": (0,),
            "*.VM().run": (0,),
            "safe-eval": (0,),
            **{f"{library}.{name}": (0,) for library in ("mathjs", "math") for name in ("eval", "evaluate", "compile", "parse")},
            "static-eval": (0,),
            "*.executeJavaScript": (0,),
        },
        worth=BUILT,
        message="A value is run as code; a context of `vm` is no sandbox.",
        advice=_CODE + " What must be run belongs into a process of its own without rights.",
    ),
    looked(
        "code-timer",
        ("setTimeout", "setInterval"),
        _code_timer,
        message="A timer is given text, which it runs as code.",
        advice="Give the timer a function: `setTimeout(() => action(value), delay)`.",
    ),
    into(
        "dynamic-module",
        "code",
        {"require": (0,), "import": (0,)},
        worth=FOREIGN,
        message="The module to load is chosen by a value of the request.",
        advice="Map the value to modules in a table that the program holds.",
    ),
    into(
        "template-built",
        "template",
        {
            **{
                f"{engine}.{name}": (0,)
                for engine in (
                    "pug",
                    "jade",
                    "ejs",
                    "handlebars",
                    "nunjucks",
                    "doT",
                    "dot",
                    "mustache",
                    "lodash",
                    "_",
                    "underscore",
                    "hogan.js",
                    "eta",
                    "swig",
                )
                for name in ("compile", "render", "renderString", "template", "precompile", "renderStringAsync")
            },
            "Handlebars.compile": (0,),
            "new? vue.compile": (0,),
        },
        worth=FOREIGN,
        message="A template is made of a value of the request.",
        advice="Keep the template in a file of the program and hand the value over as data.",
    ),
    into(
        "deserialised",
        "objects",
        {
            "node-serialize.unserialize": (0,),
            "serialize-to-js.deserialize": (0,),
            "funcster.deepDeserialize": (0,),
            "cryo.parse": (0,),
            "*.unserialize": (0,),
        },
        worth=Worth(built=None, unknown=LESS),
        message="Foreign bytes are turned into objects by a format that can hold code.",
        advice="Use JSON.parse and check the result against a schema.",
    ),
    called(
        "yaml-full-schema",
        ("js-yaml.load", "js-yaml.loadAll", "yaml.load"),
        _yaml_full,
        message="YAML is read with a schema that makes functions.",
        advice="Call `load` without a schema (js-yaml 4) or with JSON_SCHEMA.",
    ),
    into(
        "ldap-filter-built",
        "ldap",
        {"*.search": (0, "1.filter")},
        worth=Worth(foreign=SURE),
        message="An LDAP filter is put together of values of the request.",
        advice="Build the filter with the filter classes of ldapjs, which escape values.",
        unless=lambda place, value: (
            not (value.prefix.lstrip().startswith(("(", "ou=", "cn=", "uid=", "dc=")) or "ldap" in (place.call.path if place.call else ""))
        ),
    ),
    into(
        "xpath-built",
        "xpath",
        {"xpath.select": (0,), "xpath.select1": (0,), "xpath.evaluate": (0,), "xpath.parse": (0,), "document.evaluate": (0,)},
        worth=BUILT,
        message="An XPath is put together of text and values.",
        advice="Use variables of the XPath (`xpath.parse(text).select({variables})`).",
    ),
    into(
        "prototype-merge",
        "key",
        {
            **{
                f"{library}.{name}": (-1,)
                for library in ("lodash", "_")
                for name in ("merge", "mergeWith", "defaultsDeep", "set", "setWith", "zipObjectDeep")
            },
            "deepmerge": (-1,),
            "merge-deep": (-1,),
            "deep-extend": (-1,),
            "defaults-deep": (-1,),
            "object-path.set": (-1,),
            "dot-prop.set": (-1,),
            "hoek.merge": (-1,),
            "just-extend": (-1,),
            "*.extend": (2, 3),
        },
        worth=Worth(foreign=LESS),
        unless=lambda place, _value: bool(place.call and place.call.name == "extend" and argument(place, 0) != "true"),
        message="An object of the request is merged into another one, and can reach its prototype.",
        advice="Copy only expected keys, or merge into `Object.create(null)`; refuse `__proto__`, `constructor` and `prototype`.",
    ),
    looked(
        "prototype-assignment",
        ("query", "body", "params"),
        _polluted,
        message="The request names keys of an object, and can reach the prototype.",
        advice="Use a Map, or check each key against the ones that are expected.",
    ),
    into(
        "regex-built",
        "regex",
        {"new? RegExp": (0,)},
        worth=FOREIGN,
        message="A regular expression is made of a value of the request.",
        advice="Escape the value (`RegExp.escape`), or compare text without a pattern.",
    ),
)
