"""Text of others that is run: SQL, commands, code, files, objects, queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.php.looks import around, scanned, stays_inside
from assaymark.checks.application.patterns.php.queries import FRAGMENTS, FUNCTIONS, METHODS, bare, no_sql, without_value
from assaymark.checks.application.patterns.rules import (
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    Targets,
    Worth,
    argument,
    called,
    guarded,
    into,
    judged,
    looked,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Gathered, Literal, Name
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_BUILT = Worth(built=LESS)
_CALMLY = Worth(built=LEAST)
_PARAMETERS = "Write the statement as constant text with `?` and hand the values over by `execute`, `bind_param` or as bindings."
_EVAL_FLAG = re.compile(r"(?s)\s*([^\w\s\\]).*[)\]}>\W](?P<flags>[a-zA-Z]*)\s*")
_MODIFIER = re.compile(r"[imsxADSUXJu]*e[imsxADSUXJue]*")
_SQL_CALLS = Targets([*FUNCTIONS, *METHODS, *FRAGMENTS])


def _sql_unless(place: Place, value: Value) -> bool:
    return no_sql(place, value) or (not value.foreign and without_value(place))


def _fragment_unless(place: Place, value: Value) -> bool:
    return not value.foreign and without_value(place)


def _array_command(place: Place, value: Value) -> bool:
    """A command given as a list goes to no shell."""
    del value
    call = place.call
    return call is not None and bool(call.args) and isinstance(place.flow.resolved(call.args[0]), Gathered)


def _foreign_at(place: Place, node: Node, kind: str, hit: Node) -> Iterator[Hit]:
    found = judged(place.flow.value(node), kind, FOREIGN)
    if found:
        yield Hit(hit, found[0] + (LEAST if guarded(place, node) else SURE), found[1])


def _backtick(place: Place, node: Node) -> Iterator[Hit]:
    yield from _foreign_at(place, node, "shell", node)


def _named(place: Place, node: Node) -> Iterator[Hit]:
    """``$name()``, ``$object->$name()``, ``new $name``."""
    what = node.child_by_field_name("function") or node.child_by_field_name("name")
    if node.type == "object_creation_expression":
        what = next((child for child in node.named_children if child.type == "variable_name"), None)
    if what is not None and what.type in ("variable_name", "subscript_expression"):
        yield from _foreign_at(place, what, "code", node)


def _included(place: Place) -> Iterator[Hit]:
    node = place.leaf.parent
    if node is None or not node.type.startswith(("include", "require")) or not node.named_child_count:
        return
    if not stays_inside(place, node):
        yield from _foreign_at(place, node.named_children[0], "path", node)


def _evaluated(place: Place, call: Called) -> bool | int | None:
    """``preg_replace("/…/e", …)``."""
    del call
    text = argument(place, 0)
    found = _EVAL_FLAG.fullmatch(text) if text is not None else None
    return True if found and _MODIFIER.fullmatch(found["flags"]) else None


def _asserted(place: Place, value: Value) -> bool:
    """``assert`` runs only text, and no condition of the program's own."""
    call = place.call
    shape = place.speech.shape(call.args[0]) if call is not None and call.args else None
    return not value.foreign or (isinstance(shape, Called) and not place.speech.carries(shape))


def _object(place: Place, call: Called) -> Iterator[Hit]:
    if any("allowed_classes" in place.speech.text.of(arg) for arg in call.args[1:]):
        return
    if call.args:
        yield from _foreign_at(place, call.args[0], "objects", call.node)


def _unserialised(place: Place) -> Iterator[Hit]:
    if place.call is not None and place.call.receiver is None:
        yield from _object(place, place.call)


def _xml(place: Place, call: Called) -> bool | int | None:
    written = " ".join(place.speech.text.of(arg) for arg in call.args[1:])
    if call.name == "setParserProperty":
        return True if "SUBST_ENTITIES" in place.speech.text.of(call.node) and "true" in written.lower() else None
    return True if re.search(r"LIBXML_NOENT|LIBXML_DTDLOAD", written) else None


def _loader(place: Place, call: Called) -> bool | int | None:
    """``libxml_disable_entity_loader(false)``: harmless since PHP 8, and only a part of what is needed before."""
    return LESS if call.args and text_of(place, call.args[0]) == "false" else None


def _substituted(place: Place) -> Iterator[Hit]:
    """``$dom->substituteEntities = true``."""
    node = around(place.leaf, "assignment_expression", levels=3)
    if node is not None and text_of(place, node.child_by_field_name("right")) == "true":
        yield Hit(node)


def _xpath_unless(place: Place, value: Value) -> bool:
    call = place.call
    if call is None or call.name == "xpath":
        return False
    receiver = call.path.rpartition(".")[0]
    return not re.search(r"xpath|\bxp\b", receiver, re.IGNORECASE) or (not value.foreign and not re.match(r"\s*[./(]", value.prefix))


def _sql_bare(place: Place) -> Iterator[Hit]:
    if place.call is not None and _SQL_CALLS.match(place.call):
        yield from bare(place)


def _mass(place: Place, call: Called) -> bool | int | None:
    """``extract($_POST)``; flags that keep what is there are fine."""
    if not call.args or any(re.search(r"EXTR_(?:SKIP|PREFIX_ALL)", place.speech.text.of(arg)) for arg in call.args[1:]):
        return None
    if call.name == "import_request_variables":
        return True
    if call.name in ("parse_str", "mb_parse_str") and len(call.args) > 1:
        return None
    value = place.flow.value(call.args[0])
    return (LESS if value.weak else SURE) if value.foreign else None


def _variable_named(place: Place, node: Node) -> Iterator[Hit]:
    """``$$name = …``."""
    left = node.child_by_field_name("left")
    if left is not None and left.type == "dynamic_variable_name" and left.named_child_count:
        yield from _foreign_at(place, left.named_children[0], "code", node)


def _document(place: Place, call: Called) -> Iterator[Hit]:
    """``find(["name" => $_POST["name"]])``: an array of the client is an operator."""
    if not re.search(r"coll|mongo|users?\b|\bdb\b", call.path, re.IGNORECASE) or not call.args:
        return
    shape = place.flow.resolved(call.args[0])
    if b"ongo" not in place.speech.text.content or not isinstance(shape, Gathered):
        return
    for part in shape.parts:
        direct = place.speech.source(part, place.speech.shape(part)) or isinstance(place.speech.shape(part), Name)
        value = place.flow.value(part)
        if direct and value.foreign and not value.built and not value.is_safe("nosql"):
            yield Hit(call.node, LESS if value.weak else SURE, value.foreign)
            return


def _documents(place: Place) -> Iterator[Hit]:
    if place.call is not None and place.call.receiver is not None:
        yield from _document(place, place.call)


def _pattern_unless(place: Place, value: Value) -> bool:
    del value
    call = place.call
    return call is not None and bool(call.args) and isinstance(place.speech.shape(call.args[0]), Literal)


RULES: tuple[Rule, ...] = (
    into(
        "sql-built",
        "sql",
        {**FUNCTIONS, **METHODS},
        worth=_BUILT,
        unless=_sql_unless,
        message="A statement of SQL is put together of values.",
        advice=_PARAMETERS,
    ),
    into(
        "sql-fragment",
        "sql",
        FRAGMENTS,
        worth=_BUILT,
        unless=_fragment_unless,
        message="A piece of raw SQL is put together of values.",
        advice="Hand the values over as bindings: `whereRaw('price > ?', [$price])`; take names of columns from a list.",
    ),
    looked(
        "sql-unquoted",
        sorted(_SQL_CALLS.words),
        _sql_bare,
        message="Escaped text stands in SQL outside of quotes, where escaping changes nothing.",
        advice=_PARAMETERS,
    ),
    into(
        "command-built",
        "shell",
        {
            **dict.fromkeys(("system", "exec", "shell_exec", "passthru", "popen", "proc_open", "pcntl_exec", "expect_popen"), (0,)),
            "mail": (4,),
            "mb_send_mail": (4,),
            "Process.fromShellCommandline": (0,),
            "Process.run": (0,),
            "*.ssh2_exec": (1,),
            "ssh2_exec": (1,),
        },
        worth=_CALMLY,
        unless=_array_command,
        message="A command line is put together of values.",
        advice="Start the program from a list (`proc_open([...])`, Symfony's `Process`), or quote every part with `escapeshellarg`.",
    ),
    scanned(
        "command-backtick",
        "(shell_command_expression) @node",
        _backtick,
        message="A command line in backticks is put together of values of the request.",
        advice="Start the program from a list (`proc_open([...])`), or quote every part with `escapeshellarg`.",
    ),
    into(
        "code-built",
        "code",
        {"eval": (0,), "create_function": (0, 1)},
        worth=_CALMLY,
        message="Text put together of values is run as PHP.",
        advice="Write the cases as code of the program, or read the text as data (`json_decode`).",
    ),
    into(
        "assert-text",
        "code",
        {"assert": (0,)},
        worth=FOREIGN,
        unless=_asserted,
        message="A value of the request is run as PHP by `assert`.",
        advice="Compare the value in a condition of the program.",
    ),
    called(
        "regex-eval",
        ("preg_replace", "preg_filter", "ereg_replace", "mb_ereg_replace"),
        _evaluated,
        message="The modifier `e` runs what a regular expression finds as PHP.",
        advice="Use `preg_replace_callback` with a function.",
    ),
    scanned(
        "function-named",
        "[(function_call_expression) (member_call_expression) (scoped_call_expression) (object_creation_expression)] @node",
        _named,
        message="A value of the request names the function or class to run.",
        advice="Look the name up in a table of the functions that may be asked for.",
    ),
    into(
        "callback-named",
        "code",
        {
            **dict.fromkeys(("call_user_func", "call_user_func_array", "array_map", "register_shutdown_function", "ob_start"), (0,)),
            **dict.fromkeys(("usort", "uasort", "uksort", "array_walk", "array_filter", "array_reduce", "preg_replace_callback"), (1,)),
            "new ReflectionFunction": (0,),
            "new ReflectionClass": (0,),
        },
        worth=FOREIGN,
        message="A value of the request names the function to run.",
        advice="Look the name up in a table of the functions that may be asked for.",
    ),
    looked(
        "file-included",
        ("include", "include_once", "require", "require_once"),
        _included,
        message="A value of the request says which file is run.",
        advice="Look the page up in a table: `$pages = ['home' => 'home.php'];` and refuse what is not in it.",
    ),
    into(
        "template-built",
        "template",
        {"*.createTemplate": (0,), "Blade.render": (0,), "Blade.compileString": (0,), "*.renderString": (0,), "*.renderInline": (0,)},
        worth=FOREIGN,
        message="A value of the request is part of a template.",
        advice="Keep the template constant and hand the value over as a variable.",
    ),
    looked(
        "object-foreign",
        ("unserialize", "maybe_unserialize", "yaml_parse", "igbinary_unserialize", "msgpack_unpack"),
        _unserialised,
        message="Bytes of the request are turned into objects.",
        advice="Use `json_decode`, or `unserialize($text, ['allowed_classes' => false])` for text with a signature of your own.",
    ),
    called(
        "xml-entities",
        (
            *("simplexml_load_string", "simplexml_load_file", "*.loadXML", "*.load", "*.XML", "*.xml", "*.open", "*.setParserProperty"),
            *("new SimpleXMLElement", "new SimpleXMLIterator", "DOMDocument.load"),
        ),
        _xml,
        message="An XML parser follows entities of the document.",
        advice="Leave LIBXML_NOENT and LIBXML_DTDLOAD out; without them entities stay as they are.",
    ),
    called(
        "xml-loader",
        ("libxml_disable_entity_loader",),
        _loader,
        message="Loading of external entities is allowed.",
        advice="Remove the call; keep LIBXML_NOENT and LIBXML_DTDLOAD out.",
    ),
    looked(
        "xml-substituted",
        ("substituteEntities", "resolveExternals"),
        _substituted,
        message="An XML parser follows entities of the document.",
        advice="Leave the property at `false`.",
    ),
    into(
        "ldap-filter-built",
        "ldap",
        {"ldap_search": (1, 2), "ldap_list": (1, 2), "ldap_read": (1, 2), "ldap_bind": (1,), "ldap_delete": (1,), "ldap_compare": (1,)},
        worth=_CALMLY,
        message="A filter or name of LDAP is put together of values.",
        advice="Pass each value through `ldap_escape($value, '', LDAP_ESCAPE_FILTER)` (LDAP_ESCAPE_DN in names).",
    ),
    into(
        "xpath-built",
        "xpath",
        {"*.xpath": (0,), "*.query": (0,), "*.evaluate": (0,), "xpath_eval": (1,)},
        worth=_CALMLY,
        unless=_xpath_unless,
        message="An XPath is put together of values.",
        advice="Select with constant XPath and compare the values in PHP, or allow only letters and digits.",
    ),
    looked(
        "nosql-built",
        ("find", "findOne", "updateOne", "updateMany", "deleteOne", "deleteMany", "findOneAndUpdate", "countDocuments", "remove"),
        _documents,
        message="A value of the request that may be an array is a condition of a document store.",
        advice="Make it text first: `(string) $_POST['name']`.",
    ),
    into(
        "regex-built",
        "regex",
        {
            **dict.fromkeys(("preg_match", "preg_match_all", "preg_replace", "preg_split", "preg_grep", "preg_replace_callback"), (0,)),
            **dict.fromkeys(("ereg", "eregi", "mb_ereg", "mb_ereg_match"), (0,)),
        },
        worth=FOREIGN,
        unless=_pattern_unless,
        message="A regular expression is made of a value of the request.",
        advice="Pass the value through `preg_quote($value, '/')`.",
    ),
    called(
        "variables-filled",
        ("extract", "parse_str", "mb_parse_str", "import_request_variables"),
        _mass,
        message="The request sets whatever variables it names.",
        advice="Read the fields by name: `$name = $_POST['name'] ?? '';`.",
    ),
    scanned(
        "variable-named",
        "(assignment_expression left: (dynamic_variable_name)) @node",
        _variable_named,
        message="The request names the variable that is set.",
        advice="Keep such values in an array of their own.",
    ),
)
