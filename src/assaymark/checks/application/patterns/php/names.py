"""Names that PHP programs get foreign text from, and those that make it harmless. Facts about libraries, no code."""

from __future__ import annotations

import re

SUPERGLOBALS = frozenset({"$_GET", "$_POST", "$_REQUEST", "$_COOKIE", "$HTTP_GET_VARS", "$HTTP_POST_VARS", "$HTTP_RAW_POST_DATA"})
SERVER = re.compile(r"HTTP_\w+|REQUEST_URI|QUERY_STRING|PHP_SELF|(?:ORIG_)?PATH_INFO|PATH_TRANSLATED|PHP_AUTH_\w+", re.IGNORECASE)
"""Entries of ``$_SERVER`` that the client writes."""
UPLOAD = frozenset({"name", "full_path", "type"})
"""Entries of a file in ``$_FILES`` that the client writes."""
SOURCE_WORDS = frozenset({
    *SUPERGLOBALS, "$_FILES", "$_SERVER", "$request", "request", "Request", "getQueryParams", "getParsedBody", "get_query_var",
    "filter_input", "getallheaders", "Input",
})  # fmt: skip
"""Words of which one stands in nearly every text that reads a request itself."""
SOURCES = re.compile(
    r"""(?x)
    getallheaders | apache_request_headers | get_query_var | filter_input(?:_array)?
    | request(?:\(\))? (?:\.(?:input|get|query|post|all|only|except|cookie|header|json|string|str|route|path|url|fullUrl|getContent))?
    | (?:.*\.)?(?:\w*[rR]eq(?:uest)?(?:\(\)|Stack\.getCurrentRequest\(\)|_stack\.getCurrentRequest\(\))?)
      \.(?: (?:query|request|cookies|headers|attributes|server|payload)\.(?:get|all|getString|getAlpha|getAlnum|getDigits|toArray|keys)
        | input | get | post | query | cookie | header | json | all | only | except | string | str | route
        | getQueryParams | getQueryParam | getParsedBody | getParsedBodyParam | getCookieParams | getCookieParam | getHeader | getHeaderLine
        | getHeaders | getBody | getContent | getParam | getParams | getPost | getQuery | getGet | getVar | getRequestUri | getUri
        | getPathInfo | getQueryString | getCookie | getRawBody | getJSON | getPostGet | getGetPost | getUserAgent | getReferer
        | fullUrl | url | path | toArray )
    | (?:Input|Request|Req)\.(?:get|input|all|query|post|cookie|header|only|except|json|old|param)
    | (?:this\.)?(?:input|in)\.(?:get|post|get_post|post_get|cookie|server|user_agent|input_stream)
    | UploadedFile\.(?:getClientOriginalName|getClientFilename|getClientOriginalExtension|getClientMimeType)
    | .*\.(?:getClientOriginalName|getClientFilename|getClientOriginalExtension|get_query_params|get_json_params|get_body_params)
    | WP_REST_Request\.(?:get_param|get_params|get_body|get_header)
    """
)
"""Matched against the whole path of a call; a variable stands there as its type or by its name."""
REQUEST_ARRAYS = re.compile(r"(?:this\.)?request\.(?:get|post|cookie|request)", re.IGNORECASE)
"""Properties that hold what was sent, as in OpenCart's ``$this->request->post["name"]``."""
FROM_REQUEST = frozenset({"MapQueryParameter", "MapQueryString", "MapRequestPayload", "MapUploadedFile"})
"""Attributes by which Symfony fills parameters from the request."""
NO_FIELDS = frozenset({
    "attributes", "request", "query", "server", "files", "cookies", "headers", "session", "user", "route", "method", "container", "params",
})  # fmt: skip
"""Properties of a request that are no fields of it."""
HARMLESS = frozenset({
    "int", "integer", "float", "double", "bool", "boolean", "false", "true", "null", "void", "DateTime", "DateTimeInterface",
    "DateTimeImmutable", "Carbon", "CarbonImmutable", "UuidInterface", "Uuid", "UuidV4", "Ulid", "Closure", "callable",
})  # fmt: skip


def _row(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    return re.compile(rf"(?:{pattern})", re.IGNORECASE), frozenset(kinds)


CLEANERS = (
    _row(r".*\.escape", "sql", "html"),
    _row(
        r"intval|floatval|doubleval|boolval|settype|absint|count|sizeof|strlen|mb_strlen|strcmp|strcasecmp|strncmp|strncasecmp|strn?pos"
        r"|stripos|strrpos|mb_strpos|isset|empty|is_\w+|in_array|array_key_exists|array_search|key_exists|function_exists|class_exists"
        r"|method_exists|file_exists|defined|ctype_\w+|preg_match|preg_match_all|ord|time|mktime|strtotime|date|gmdate|abs"
        r"|round|floor|ceil|number_format|number_format_i18n|md5|sha1|hash|hash_hmac|crc32|bin2hex|dechex|hexdec|bindec|decbin"
        r"|password_hash|password_verify|crypt|openssl_\w+|base_convert|microtime|memory_get_usage|filesize|filemtime|fileperms|random_\w+"
        r"|rand|mt_rand|uniqid|checkdate|str_contains|str_starts_with|str_ends_with|hash_equals|wp_verify_nonce|wp_create_nonce"
        r"|sanitize_key|sanitize_html_class|sanitize_title|sanitize_hex_color|array_sum|array_product|gettype|get_class|spl_object_hash"
        r"|version_compare|checked|selected|disabled|http_response_code|ip2long|inet_pton|levenshtein|similar_text|soundex|metaphone"
        r"|current_user_can|rest_ensure_response|wp_hash_password|array_count_values|.*\.(?:getInt|getBoolean|getDigits|getAlnum|getAlpha"
        r"|integer|boolean|float|has|filled|isMethod|hasFile|count|isValid|is|wantsJson|ajax|secure|isXmlHttpRequest|getMethod|ip)"
        r"|Uuid\.fromString|Str\.(?:uuid|slug|random|length)|Hash\.make|.*\.rowCount",
        "*",
    ),
    _row(
        r"htmlspecialchars|htmlentities|filter_xss|check_plain|strip_tags|e|esc_html\w*|esc_attr\w*|esc_textarea|esc_js|esc_xml|wp_kses\w*"
        r"|sanitize_text_field|sanitize_textarea_field|sanitize_email|tag_escape|h|html_escape|h\w*escape|.*\.(?:escapeHtml\w*"
        r"|escapeJs|escapeCss|escapeUrl|purify|specialchars|encodeForHTML|htmlEncode)|Html\.(?:escape|encode)|HtmlHelper\.\w+|Xss\.\w+"
        r"|Yii\.encode|CHtml\.encode|Purifier\.\w+|.*\.xss_clean|json_encode|wp_json_encode",
        "html",
    ),
    _row(r"esc_url|esc_url_raw|sanitize_url", "html", "header"),
    _row(r"wp_validate_redirect|wp_sanitize_redirect", "url", "header"),
    _row(r"urlencode|rawurlencode|http_build_query|base64_encode|base64url_encode", "html", "url", "path", "header"),
    _row(
        r"(?:mysqli?|maxdb|pg|sqlite|ingres|cubrid|dbx|msql|db2)_(?:real_)?escape_(?:string|bytea)|addslashes|esc_sql|db_escape\w*"
        r"|like_escape|escape_string|.*\.(?:real_escape_string|escapeString|escape_string|esc_like|escapeLikeString|_real_escape"
        r"|escape_str|escape_like_str)",
        "sql",
    ),
    _row(
        r"pg_escape_(?:literal|identifier)|.*\.(?:quote|quoteIdentifier|quoteSingleIdentifier|quoteName|quoteTableName|quoteColumnName|quoteValue"
        r"|qn|quoteInto|expr\(\)\.literal|createNamedParameter|createPositionalParameter|getMarker|quoteTable|quoteColumn)",
        "sql",
        "unquoted",
    ),
    _row(r"escapeshellarg|ProcessExecutor\.escape|ProcessUtils\.escapeArgument|Process\.escape|.*\.escapeArgument", "shell"),
    _row(r"escapeshellcmd", "shell"),
    _row(r"basename|wp_basename|sanitize_file_name|validate_file|.*\.hashName|UploadedFile\.(?:store|hashName)", "path"),
    _row(r"preg_quote", "regex"),
    _row(r"ldap_escape|.*\.(?:ldapEscape|escapeFilterValue)", "ldap"),
    _row(r"xpath_escape|.*\.(?:xpathEscape|xpathLiteral|escapeXpath)", "xpath"),
    _row(r"addcslashes|var_export", "code"),
)
"""Tried in order, against the whole path."""
CARRIERS = re.compile(
    r"(?:l|r)?trim|chop|str(?:tolower|toupper|rev|tr|val|str|rchr|chr|istr|pbrk)|mb_\w+|ucfirst|ucwords|lcfirst|nl2br|substr"
    r"|str_(?:i?replace|repeat|pad|split|shuffle|word_count)|substr_replace|preg_(?:replace|replace_callback|split|filter|grep)|ereg_replace|implode|join|explode"
    r"|split|stripslashes|stripcslashes|(?:raw)?urldecode|base64_decode|html_entity_decode|htmlspecialchars_decode|quoted_printable_decode"
    r"|convert_uudecode|json_decode|unserialize|hex2bin|gzuncompress|gzinflate|gzdecode|array_\w+|vsprintf|sprintf|print_r|iconv|utf8_\w+|wordwrap|chunk_split"
    r"|strtok|dirname|realpath|pathinfo|parse_url|current|reset|end|next|key|list|compact|serialize|wp_unslash|maybe_unserialize"
    r"|wp_slash|money_format|str_rot13|convert_cyr_string|trailingslashit|untrailingslashit|path_join|iterator_to_array"
    r"|Str\.(?:lower|upper|trim|title|ucfirst|of|finish|start|after|before|replace|substr|limit|camel|snake|studly)|Arr\.\w+|collect|data_get"
    r"|strval|add_query_arg|addcslashes|stream_get_contents|URI|Uri|Url\.to|ArrayObject|u|s|.*\.(?:concat|append|prepend)",
    re.IGNORECASE,
)
FILTERS = re.compile(
    r"valid|sanit|escap|esc_|encod|clean|filter|check|allow|verif|quote|hash|strip|safe|normali|whitelist|lookup|find|load|resolve|exists"
    r"|^is[A-Z_]|^has[A-Z_]|get_post|get_user|get_term|xss|purif|secure",
    re.IGNORECASE,
)
"""Names of unknown functions that may make their argument harmless, or that look something up by it."""
