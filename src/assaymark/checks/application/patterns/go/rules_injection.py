"""Text of others that is run: SQL, commands, scripts, templates, queries, objects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.go.looks import function_text, watched
from assaymark.checks.application.patterns.rules import (
    BUILT,
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    Targets,
    Worth,
    called,
    into,
    judged,
    looked,
)
from assaymark.checks.application.patterns.shapes import Called, Gathered, Name
from assaymark.checks.application.patterns.values import Value

_SQL = re.compile(
    r"\s*\(?\s*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|call|exec|grant|explain|pragma)\b",
    re.IGNORECASE,
)
_DEFINES = re.compile(r"\s*(?:create|alter|drop|truncate|grant|pragma|explain|vacuum)\b", re.IGNORECASE)
"""Statements without values: what is put into them are names and types."""
_DATABASE = re.compile(
    r"sql|pgx|gorm|sqlx|bun\b|xorm|\bdb\b|\btx\b|\bDB\b|\bTx\b|\bconn\b|Conn\b|database|[dD]b\b|[dD]B\b|[tT]x\b|querier|stmt", re.IGNORECASE
)
_IDENTIFIER = re.compile(
    r"(?:\b(?:from|into|update|table|join|exists|database|schema|index|column|view|role|user|by|on|only|analyze|vacuum)\s+"
    r"|\b(?:select|distinct|set)\s+|[\"`.\[]|\b(?:in|values)\s*\(?\s*|,\s*)$",
    re.IGNORECASE,
)
"""What stands before the name of a table or column, or before a list of placeholders: seldom text of others."""
_QUOTED = re.compile(r"'%?%[svw]|'\"?\s*\+|'`\s*\+|'%s")
_CONTEXT = re.compile(r"ctx\b|\w*[cC]tx|.*\bContext\(\)|context\.(?:Background|TODO)\(\)|\w*[cC]ontext")
_SHELL = re.compile(r"(?:/\w+)*/?(?:ba|z|da|k|a)?sh|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh")
_STATEMENTS = (
    "Query", "QueryRow", "Exec", "Prepare", "QueryContext", "QueryRowContext", "ExecContext", "PrepareContext", "Queryx", "QueryRowx",
    "MustExec", "NamedExec", "NamedQuery", "Preparex", "QueryxContext", "QueryRowxContext", "NamedExecContext", "NamedQueryContext",
    "Get", "Select", "GetContext", "SelectContext", "Raw", "NewRaw", "ExecScript", "SimpleQuery", "SQL", "QueryString", "Rebind",
)  # fmt: skip
_SQL_TARGETS = Targets(f"*.{name}" for name in _STATEMENTS)
_FRAGMENTS = ("Where", "Or", "Not", "Having", "Order", "OrderBy", "Group", "GroupBy", "Joins", "Select", "Pluck", "Expr", "Distinct")
_BUILDERS = re.compile(r"gorm|xorm|squirrel|\bsq\b|bun\b|goqu|\bdb\b|\btx\b|DB\b|Db\b|database|clause|[oO]rm|model|[qQ]uery", re.IGNORECASE)


def _statement(place: Place) -> Iterator[Hit]:
    """SQL of values, in whichever argument the statement is."""
    call = place.call
    if call is None or not _SQL_TARGETS.match(call) or call.receiver is None:
        return
    for arg in call.args[:3]:
        written = place.speech.text.of(arg)
        if _CONTEXT.fullmatch(written) or written.startswith("&"):
            continue
        value = place.flow.value(arg)
        found = judged(value, "sql", BUILT)
        if found is not None and _is_sql(call, value):
            yield Hit(call.node, found[0] + _unlike_text(place, call, value), found[1])
        if call.name in ("Get", "Select", "GetContext", "SelectContext") and value.text is None and not value.prefix:
            continue
        return


def _is_sql(call: Called, value: Value) -> bool:
    if call.path.startswith("net/") or re.search(r"[pP]repare\w*\(\)\.\w+$|[sS]tmt\.\w+$", call.path):
        return False
    if value.prefix.strip():
        return bool(_SQL.match(value.prefix))
    return bool(value.foreign and call.name not in ("Get", "Select") and _DATABASE.search(call.path))


def _unlike_text(place: Place, call: Called, value: Value) -> int:
    """A name of a table is seldom text of others; without a source nobody knows."""
    if value.foreign:
        return SURE
    if _DEFINES.match(value.prefix):
        return LEAST
    names_first = _IDENTIFIER.search(value.prefix)
    return LESS if names_first and not _QUOTED.search(_written(place, call)) else SURE


def _written(place: Place, call: Called) -> str:
    """The arguments as they are written, with what their variables are set to."""
    pieces = [place.speech.text.of(call.node)]
    for arg in call.args[:3]:
        shape = place.speech.shape(arg)
        for rows in place.speech.homes(shape.name).values() if isinstance(shape, Name) else ():
            pieces += [place.speech.text.of(row.value) for row in rows[:20] if row.value is not None]
    return "\n".join(pieces)[:12_000]


def _filtered(place: Place, value: Value) -> bool:
    """True when the value comes out of what is called a sanitiser."""
    call = place.call
    if call is None or value.foreign:
        return False
    shapes = [place.flow.resolved(arg) for arg in call.args]
    return any(isinstance(shape, Called) and re.search(r"sanit|escap|filter", shape.name, re.IGNORECASE) for shape in shapes)


def _fragment(place: Place, value: Value) -> bool:
    """True for what is no query builder of a database."""
    path = place.call.path if place.call else ""
    if not _BUILDERS.search(path) or path.startswith(("net/url", "net/http")):
        return True
    if value.foreign:
        return False
    return not re.search(r"(?:=|<|>|\blike|\bin|\bis)\s*\(?\s*['\"%]*$", value.prefix, re.IGNORECASE)


def _command(place: Place) -> Iterator[Hit]:
    """``exec.Command(…)``: a shell with built text, or a program that the request names."""
    call = place.call
    if call is None or not re.fullmatch(
        r"os/exec\.Command(?:Context)?|syscall\.(?:Exec|ForkExec|StartProcess)|os\.StartProcess", call.path
    ):
        return
    args = call.args[1:] if call.name == "CommandContext" else call.args
    if not args:
        return
    program = place.flow.value(args[0])
    found = judged(program, "shell", FOREIGN)
    if found is not None:
        yield Hit(call.node, found[0], found[1], "The request names the program that is started.")
    elif program.text is not None and _SHELL.fullmatch(program.text):
        yield from _in_shell(place, call)
    else:
        yield from _as_argument(place, call)


def _in_shell(place: Place, call: Called) -> Iterator[Hit]:
    for arg in call.args[1:]:
        shape = place.flow.resolved(arg)
        for node in shape.parts if isinstance(shape, Gathered) else (arg,):
            found = judged(place.flow.value(node), "shell", Worth(built=LESS, unknown=LEAST))
            if found is not None:
                yield Hit(call.node, *found)
                return


def _as_argument(place: Place, call: Called) -> Iterator[Hit]:
    """Values of the request as arguments of a constant program: they may be options."""
    for arg in call.args[1:]:
        found = judged(place.flow.value(arg), "shell", FOREIGN)
        if found is not None:
            yield Hit(
                call.node, found[0] + LESS, found[1], "A value of the request is an argument of a program, where it may be an option."
            )
            return


def _template(place: Place, value: Value) -> bool:
    """A template that is parsed of a file or an own text is none of the request."""
    return not (value.foreign or value.built) or "template" not in (place.call.path if place.call else "")


def _objects(place: Place, call: Called) -> bool | int | None:
    """Foreign bytes into whatever is named: gob, or YAML into a bare interface."""
    if call.path == "encoding/gob.NewDecoder" and call.args:
        found = judged(place.flow.value(call.args[0]), "objects", FOREIGN)
        return None if found is None else found[0]
    if not call.args or len(call.args) < 2 or not place.flow.value(call.args[0]).foreign:
        return None
    target = re.escape(place.speech.text.of(call.args[1]).lstrip("&"))
    bare = re.search(rf"\bvar\s+{target}\s+(?:interface\s*\{{\s*\}}|any\b)", function_text(place, call.node))
    return SURE if bare else None


def _log(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or not re.fullmatch(
        r"log\.(?:Logger\.|\w+\(\)\.)?\w+|log/slog\.\w+|.*/(?:logrus|logr|log)\.(?:\w+(?:\(\))?\.)*\w+", call.path
    ):
        return
    for node in (call.node,) if call.name.endswith("f") else call.args:
        if call.path.startswith("log/slog.") and node not in call.args[:1]:
            return
        found = judged(place.flow.value(node), "log", FOREIGN)
        if found is not None:
            yield Hit(call.node, *found)
            return


_LOGGED = ("Print", "Println", "Fatal", "Fatalln", "Panic", "Panicln", "Info", "Warn", "Warning", "Error", "Debug", "Trace")
_PARAMETERS = "Write the statement as constant text with placeholders (`?` or `$1`) and hand the values over as further arguments."

RULES: tuple[Rule, ...] = (
    watched(
        looked(
            "sql-built",
            _SQL_TARGETS.words,
            _statement,
            message="SQL is put together of text and values.",
            advice=_PARAMETERS,
        )
    ),
    watched(
        into(
            "sql-fragment",
            "sql",
            {f"*.{name}": (0,) for name in _FRAGMENTS},
            worth=Worth(built=LESS),
            unless=_fragment,
            message="A part of an SQL statement is put together of text and values.",
            advice='Hand values over as arguments (`Where("name = ?", name)`), and choose columns to order by from a table in the program.',
        )
    ),
    watched(
        looked(
            "command-built",
            ("Command", "CommandContext", "StartProcess", "Exec", "ForkExec"),
            _command,
            message="A command line for a shell is put together of text and values.",
            advice="Start a constant program with the values as arguments after `--`, without a shell; refuse values that are options.",
        )
    ),
    watched(
        into(
            "script",
            "code",
            {
                "*otto*.Run": (0,),
                "*otto*.Eval": (0,),
                "*goja*.RunString": (0,),
                "*goja*.RunScript": (1,),
                "*goja.Compile": (1,),
                "*yaegi*.Eval": (0,),
                "*lua*.DoString": (0,),
                "*v8go*.RunScript": (0,),
                "*govaluate.NewEvaluableExpression": (0,),
                "*expr.Eval": (0,),
                "*expr.Compile": (0,),
                "*gval.Evaluate": (0,),
            },
            worth=Worth(built=LEAST),
            message="A value is run as a script or expression.",
            advice="Choose the action from a map of functions in the program; a script of others belongs into a process without rights.",
        )
    ),
    watched(
        into(
            "plugin-named",
            "path",
            {"plugin.Open": (0,), "*wazero*.Instantiate": (1,)},
            worth=FOREIGN,
            message="The code to load is named by the request.",
            advice="Map the value to files in a table that the program holds.",
        )
    ),
    into(
        "template-built",
        "template",
        {"*.Parse": (0,), "*template.Must": ()},
        worth=FOREIGN,
        unless=_template,
        message="A template is made of a value of the request.",
        advice="Keep the template in a file of the program and hand the value over as data of `Execute`.",
    ),
    into(
        "ldap-filter-built",
        "ldap",
        {"*ldap*.NewSearchRequest": (6,), "*ldap*.CompileFilter": (0,)},
        unless=_filtered,
        message="An LDAP filter is put together of text and values.",
        advice="Escape each value with `ldap.EscapeFilter`.",
    ),
    into(
        "xpath-built",
        "xpath",
        {
            "*xpath.Compile": (0,),
            "*xpath.MustCompile": (0,),
            "*xmlquery.Find": (1,),
            "*xmlquery.FindOne": (1,),
            "*xmlquery.Query": (1,),
            "*xmlquery.QueryAll": (1,),
            "*htmlquery.Find": (1,),
            "*htmlquery.FindOne": (1,),
        },
        worth=Worth(built=LESS),
        message="An XPath is put together of text and values.",
        advice="Refuse values with quotation marks, or compare in the program instead of in the XPath.",
    ),
    called(
        "objects",
        ("encoding/gob.NewDecoder", "*yaml.Unmarshal"),
        _objects,
        message="Bytes of the request are turned into values whose types they choose.",
        advice="Limit the size, decode JSON into a structure with fixed fields and check them.",
    ),
    looked(
        "log-built",
        (*_LOGGED, *(f"{name}f" for name in _LOGGED)),
        _log,
        message="A log record is put together of values of the request.",
        advice="Print values with `%q`, or use `log/slog` with a handler that escapes line ends.",
    ),
)
