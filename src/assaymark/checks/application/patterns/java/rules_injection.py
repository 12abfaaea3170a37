"""Text of others that is run: SQL, commands, expressions, templates, queries, objects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.java.looks import annotation_at, method_text
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
    called,
    into,
    judged,
    looked,
)
from assaymark.checks.application.patterns.shapes import Called
from assaymark.checks.application.patterns.values import Value

_SQL = re.compile(
    r"\s*\(?\s*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|\{?\s*\??\s*=?\s*call|exec|grant|from|where"
    r"|order)\b",
    re.IGNORECASE,
)
_DATABASE = re.compile(
    r"Statement|Connection|JdbcTemplate|JdbcOperations|EntityManager|Session|QueryRunner|Handle|DSLContext|JdbcClient|\bjdbc|\bem\b",
    re.IGNORECASE,
)
_SAFE_YAML = re.compile(r"SafeConstructor|SafeLoader")
_FILTERED = re.compile(r"setObjectInputFilter|ObjectInputFilter|ValidatingObjectInputStream|resolveClass|SafeObjectInputStream|accept\(")


def _no_sql(place: Place, value: Value) -> bool:
    if value.prefix.strip():
        return not _SQL.match(value.prefix)
    return not (value.foreign and _DATABASE.search(place.call.path if place.call else ""))


def _with_shell(place: Place, value: Value) -> bool:
    """Built text alone is no shell: only a foreign part, or a shell named beside it, is dangerous for a list of arguments."""
    call = place.call
    if value.foreign or call is None:
        return False
    written = place.speech.text.of(call.node)
    return not re.search(r'"(?:/bin/|/usr/bin/)?(?:ba|z|da|k)?sh"|"cmd(?:\.exe)?"|"-c"|"/[cC]"', written) and call.name != "exec"


def _stream(place: Place, call: Called) -> bool | int | None:
    """``new ObjectInputStream(x)`` without a filter around it."""
    if not call.args or _FILTERED.search(method_text(place, call.node)):
        return None
    found = judged(place.flow.value(call.args[0]), "objects", Worth(foreign=SURE, built=LESS, unknown=LESS))
    return None if found is None else found[0]


def _yaml(place: Place, call: Called) -> bool | int | None:
    if call.args and _SAFE_YAML.search(place.speech.text.of(call.node)):
        return None
    content = place.speech.text.content
    if b"snakeyaml" not in content and b"SafeConstructor" in content:
        return None
    return SURE if not re.search(rb"org\.yaml\.snakeyaml\.\*|snakeyaml", content) or b".load" in content else None


def _xstream(place: Place, call: Called) -> bool | int | None:
    del call
    content = place.speech.text.content
    return None if re.search(rb"allowTypes|addPermission|denyTypes|setupDefaultSecurity|NoTypePermission", content) else LESS


def _class_ids(place: Place) -> Iterator[Hit]:
    """``@JsonTypeInfo(use = Id.CLASS)``: the document names the class to make."""
    annotation = annotation_at(place.leaf)
    if annotation is not None and re.search(r"\bId\s*\.\s*(?:MINIMAL_)?CLASS\b", place.speech.text.of(annotation)):
        yield Hit(annotation)


def _always(place: Place, call: Called) -> bool | int | None:
    del place, call
    return SURE


_PARAMETERS = "Write the statement as constant text with `?` and hand the values over by `setString`, by `setParameter` or as arguments."
_STATEMENTS = ("executeQuery", "executeUpdate", "executeLargeUpdate", "execute", "addBatch", "prepareStatement", "prepareCall", "nativeSQL")
_TEMPLATES = (
    "query",
    "queryForObject",
    "queryForList",
    "queryForMap",
    "queryForRowSet",
    "queryForStream",
    "queryForInt",
    "queryForLong",
    "update",
    "batchUpdate",
    "sql",
)
_PERSISTENCE = (
    "createQuery",
    "createNativeQuery",
    "createSQLQuery",
    "createStoredProcedureQuery",
    "createMutationQuery",
    "createSelectionQuery",
)
_EXPRESSIONS = {
    "*.parseExpression": (0,), "*.parseRaw": (0,), "Ognl.getValue": (0,), "Ognl.setValue": (0,), "Ognl.parseExpression": (0,),
    "MVEL.eval": (0,),
    "MVEL.compileExpression": (0,), "*.createValueExpression": (1,), "*.createMethodExpression": (1,),
    "ELProcessor.eval": (0,), "ELProcessor.getValue": (0,),
    "*.createExpression": (0,), "*.createScript": (0,), "AviatorEvaluator.execute": (0,), "*.buildConstraintViolationWithTemplate": (0,),
}  # fmt: skip

RULES: tuple[Rule, ...] = (
    into(
        "sql-built",
        "sql",
        {f"*.{name}": (0,) for name in (*_STATEMENTS, *_TEMPLATES, *_PERSISTENCE)}
        | {
            "*.arrayConstraint": (),
            "new PreparedStatementCreatorFactory": (0,),
            "new SimpleQuery": (0,),
            "Restrictions.sqlRestriction": (0,),
        },
        unless=_no_sql,
        message="SQL is put together of text and values.",
        advice=_PARAMETERS,
    ),
    into(
        "command-built",
        "shell",
        {
            "Runtime*.exec": (0, 1),
            "new ProcessBuilder": (-1,),
            "ProcessBuilder*.command": (-1,),
            "new CommandLine": (0,),
            "CommandLine.parse": (0,),
        },
        unless=_with_shell,
        message="A command is put together of text and values.",
        advice="Give ProcessBuilder a constant program and the values as arguments, without a shell; refuse values that are options.",
    ),
    into(
        "script",
        "code",
        {
            "*ngine.eval": (0,),
            "ScriptEngine*.eval": (0,),
            "GroovyShell*.evaluate": (0,),
            "GroovyShell*.parse": (0,),
            "GroovyClassLoader*.parseClass": (0,),
            "*.evaluateString": (1,),
            "Eval.me": (-1,),
            "Eval.x": (-1,),
            "*.compileString": (0,),
            "Context.eval": (1,),
            "Interpreter*.eval": (0,),
            "Binding.evaluate": (0,),
        },
        worth=Worth(built=LESS, unknown=LEAST),
        message="A value is run as a script.",
        advice="Choose the action from a map of functions in the program; a script of others belongs into a process without rights.",
    ),
    into(
        "expression",
        "code",
        _EXPRESSIONS,
        worth=Worth(built=LESS),
        message="An expression language is given a value, and it can call any method.",
        advice="Keep expressions constant and hand values over as variables; for SpEL use SimpleEvaluationContext.",
    ),
    into(
        "class-named",
        "code",
        {"Class.forName": (0,), "*.loadClass": (0,), "*ClassLoader*.loadClass": (0,)},
        worth=FOREIGN,
        message="The class to load is named by the request.",
        advice="Map the value to classes in a table that the program holds.",
    ),
    into(
        "template-built",
        "template",
        {
            "Velocity.evaluate": (3,),
            "VelocityEngine*.evaluate": (3,),
            "new Template": (1,),
            "*.getTemplateFromString": (0,),
            "*.processString": (0,),
            "TemplateEngine.process": (0,),
            "SpringTemplateEngine.process": (0,),
            "*.compileInline": (0,),
            "Handlebars*.compileInline": (0,),
            "*.putTemplate": (1,),
        },
        worth=FOREIGN,
        message="A template is made of a value of the request.",
        advice="Keep the template in a file of the program and hand the value over as data.",
    ),
    into(
        "ldap-filter-built",
        "ldap",
        {
            "*Context.search": (0, 1),
            "LdapTemplate.search": (0, 1),
            "LdapTemplate.authenticate": (0, 1),
            "LdapTemplate.find": (0,),
            "new SearchRequest": (2,),
        },
        message="An LDAP filter is put together of text and values.",
        advice='Hand values over as arguments (`search(name, "(uid={0})", new Object[] {uid}, controls)`) or escape them with LdapEncoder.',
    ),
    into(
        "xpath-built",
        "xpath",
        {
            "XPath*.evaluate": (0,),
            "XPath*.compile": (0,),
            "XPathFactory*.evaluate": (0,),
            "XPathFactory*.compile": (0,),
            "*.selectNodes": (0,),
            "*.selectSingleNode": (0,),
            "*.newXPath*().evaluate": (0,),
            "*.newXPath().compile": (0,),
        },
        worth=BUILT,
        message="An XPath is put together of text and values.",
        advice="Use `setXPathVariableResolver` and variables in a constant XPath.",
    ),
    into(
        "nosql-built",
        "nosql",
        {
            "Document.parse": (0,),
            "BasicDBObject.parse": (0,),
            "new BasicQuery": (0,),
            "BsonDocument.parse": (0,),
            "JSON.parse": (0,),
            "*.$where": (0,),
            "Filters.where": (0,),
        },
        worth=Worth(built=LESS),
        message="The query of a document store is put together of text and values.",
        advice="Use `Filters.eq(name, value)` or placeholders instead of text.",
    ),
    called(
        "object-stream",
        ("new ObjectInputStream",),
        _stream,
        message="Bytes are turned into whatever objects they name.",
        advice="Use a data format (JSON with fixed classes); where it must be, set an ObjectInputFilter that names the classes.",
    ),
    into(
        "object-formats",
        "objects",
        {
            "new XMLDecoder": (0,),
            "SerializationUtils.deserialize": (0,),
            "Kryo.readClassAndObject": (0,),
            "*Hessian*Input.readObject": (),
            "new HessianInput": (0,),
            "new Hessian2Input": (0,),
            "new BurlapInput": (0,),
            "JsonReader.jsonToJava": (0,),
            "*.readUnshared": (),
        },
        worth=Worth(built=LESS, unknown=LESS),
        unless=lambda place, _value: place.call is not None and "serialize(" in place.speech.text.of(place.call.node).partition("(")[2],
        message="Bytes are turned into whatever objects they name.",
        advice="Use a data format (JSON with fixed classes) and check the result.",
    ),
    called(
        "yaml-objects",
        ("new Yaml",),
        _yaml,
        message="YAML is read by a parser that makes whatever objects the document names.",
        advice="Use `new Yaml(new SafeConstructor(new LoaderOptions()))`, or snakeyaml-engine.",
    ),
    called(
        "xstream",
        ("new XStream",),
        _xstream,
        message="XStream makes whatever objects the document names.",
        advice="Call `allowTypes` with the classes that are expected, and use a current version.",
    ),
    called(
        "jackson-typing",
        ("*.enableDefaultTyping", "*.activateDefaultTyping", "*.activateDefaultTypingAsProperty", "*.setDefaultTyping"),
        lambda place, call: (
            LESS
            if "PolymorphicTypeValidator" in place.speech.text.of(call.node)
            or (len(call.args) and re.search(r"ptv|alidator", place.speech.text.of(call.args[0])))
            else SURE
        ),
        message="The document names the classes that Jackson makes.",
        advice="Remove it; use @JsonTypeInfo(use = Id.NAME) with @JsonSubTypes.",
    ),
    looked(
        "jackson-class-ids",
        ("JsonTypeInfo",),
        _class_ids,
        message="The document names the classes that Jackson makes.",
        advice="Use `Id.NAME` with @JsonSubTypes.",
    ),
    into(
        "regex-built",
        "regex",
        {"Pattern.compile": (0,), "Pattern.matches": (0,), "*.replaceAll": (0,), "*.replaceFirst": (0,)},
        worth=FOREIGN,
        message="A regular expression is made of a value of the request.",
        advice="Use `Pattern.quote(value)`, or compare text without a pattern.",
    ),
    into(
        "log-built",
        "log",
        {
            f"{logger}.{level}": (0,)
            for logger in ("Logger", "Log", "logger", "log", "LOG", "LOGGER")
            for level in ("trace", "debug", "info", "warn", "error", "warning", "severe", "fine")
        },
        worth=FOREIGN,
        message="A log record is put together of values of the request.",
        advice="Log constant text with placeholders, through a layout that escapes line ends (or JSON).",
    ),
)
