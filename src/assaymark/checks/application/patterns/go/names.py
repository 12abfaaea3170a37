"""Names that Go programs get foreign text from, and those that make it harmless. Facts about libraries, no code."""

from __future__ import annotations

import re

STANDARD = {
    "sql": "database/sql", "exec": "os/exec", "http": "net/http", "tls": "crypto/tls", "os": "os", "io": "io", "ioutil": "io/ioutil",
    "filepath": "path/filepath", "url": "net/url", "json": "encoding/json", "gob": "encoding/gob", "xml": "encoding/xml",
    "zip": "archive/zip", "tar": "archive/tar", "gzip": "compress/gzip", "zlib": "compress/zlib", "flate": "compress/flate",
    "bzip2": "compress/bzip2", "md5": "crypto/md5", "sha1": "crypto/sha1", "sha256": "crypto/sha256", "des": "crypto/des",
    "rc4": "crypto/rc4", "aes": "crypto/aes", "cipher": "crypto/cipher", "rsa": "crypto/rsa", "hmac": "crypto/hmac", "net": "net",
    "httputil": "net/http/httputil", "plugin": "plugin", "syscall": "syscall", "html": "html", "template": "html/template",
    "base64": "encoding/base64",
    "hex": "encoding/hex", "bufio": "bufio", "cookiejar": "net/http/cookiejar", "multipart": "mime/multipart", "slog": "log/slog",
    "gin": "github.com/gin-gonic/gin", "echo": "github.com/labstack/echo", "fiber": "github.com/gofiber/fiber",
    "mux": "github.com/gorilla/mux", "chi": "github.com/go-chi/chi", "jwt": "github.com/golang-jwt/jwt",
    "ssh": "golang.org/x/crypto/ssh", "gorm": "gorm.io/gorm", "sqlx": "github.com/jmoiron/sqlx", "ldap": "github.com/go-ldap/ldap",
    "websocket": "github.com/gorilla/websocket", "cors": "github.com/rs/cors", "sessions": "github.com/gorilla/sessions",
    "bcrypt": "golang.org/x/crypto/bcrypt", "pbkdf2": "golang.org/x/crypto/pbkdf2", "yaml": "gopkg.in/yaml", "bson": "go.mongodb.org/bson",
}  # fmt: skip
"""What a package's name means where nothing says what it is imported from, as in an excerpt."""
_REQUEST = (
    r"net/http\.Request\.(?:URL\.Query|URL(?:\.(?:Path|RawPath|RawQuery|Fragment|String|RequestURI|EscapedPath))?|RequestURI|FormValue"
    r"|PostFormValue|PostForm|Form|MultipartForm|MultipartReader|Header\.(?:Get|Values)|Header|Trailer|Cookies?|Body|Referer|UserAgent"
    r"|PathValue|FormFile)"
)
SOURCES = re.compile(
    rf"""(?x) {_REQUEST}
    | .*gorilla/mux\.Vars | .*/chi\.URLParam(?:FromCtx)? | .*/httprouter\.(?:Params\.ByName|ParamsFromContext)
    | .*/gin\.Context\.(?: (?:Get|Default)?Query(?:Array|Map)? | GetQuery(?:Array|Map) | Param | (?:Default|Get)?PostForm(?:Array|Map)?
        | GetHeader | Cookie | FormFile | MultipartForm | GetRawData | Params\.(?:Get|ByName) | (?:Should|Must)?Bind\w* )
    | .*/echo\.Context\.(?: QueryParams? | Param | ParamValues | FormValue | FormParams | Cookie | FormFile | QueryString | Bind )
    | .*/fiber\.Ctx\.(?: Query | Queries | Params | FormValue | Body(?:Raw)? | Get | Cookies | OriginalURL | FormFile | MultipartForm
        | BodyParser | QueryParser | ParamsParser | GetReqHeaders | Bind )
    | .*fasthttp\.RequestCtx\.(?: QueryArgs\(\)\.Peek\w* | PostArgs\(\)\.Peek\w* | PostBody | FormValue | UserValue | Path | RequestURI
        | FormFile | URI\(\)\.\w+ | Request\.(?:Body|Header\.Peek) )
    | .*iris\.Context\.(?: URLParam\w* | FormValue | PostValue | GetHeader | Params\(\)\.Get )
    | .*/websocket\.Conn\.(?:ReadMessage|ReadJSON)
    """
)
"""Matched against the whole path of a call or field; a variable stands there as its type."""
SAME = (
    (re.compile(r".*/(?:gin|echo|iris)\.Context\.Request(?:\(\))?"), "net/http.Request"),
    (re.compile(r".*/gin\.Context\.Writer|.*/echo\.Context\.Response\(\)(?:\.Writer)?|.*ResponseWriter"), "net/http.ResponseWriter"),
    (re.compile(r"net/http\.Request\.(?:WithContext|Clone)\(\)"), "net/http.Request"),
)
"""Paths that mean a type."""
ASKING = frozenset({"RoundTrip", "Do", "Director", "Rewrite", "CheckRedirect", "ModifyRequest", "SignRequest", "Sign"})
"""Functions whose request is one that the program sends."""
HARMLESS = frozenset({
    "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr", "float32", "float64", "bool",
    "rune", "error", "time.Time", "time.Duration", "github.com/google/uuid.UUID", "github.com/gofrs/uuid.UUID", "net.IP", "net/netip.Addr",
    "[]int", "[]int64", "[]uint", "[]int32", "[]float64", "context.Context",
})  # fmt: skip


def _row(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    return re.compile(rf"(?:{pattern})"), frozenset(kinds)


CLEANERS = (
    _row(
        r"strconv\.(?:Atoi|Parse\w+|Itoa|Format\w+|AppendInt)|len|cap|copy|.*uuid\.(?:Parse|MustParse|FromString|New\w*)|net\.ParseIP"
        r"|time\.\w+|net/netip\.Parse\w+|encoding/(?:hex|base64)\..*EncodeToString|strings\.(?:Contains\w*|HasPrefix|HasSuffix|EqualFold"
        r"|Compare|Index\w*|Count|LastIndex\w*)|bytes\.(?:Equal|Contains\w*|HasPrefix|HasSuffix|Compare|Index\w*)|crypto/\w+\.(?:Sum\w*)"
        r"|.*\.(?:Len|Size|Sum|Sum32|Sum64|Unix|IsZero)|(?:u?int(?:8|16|32|64)?|float(?:32|64)|bool)"
        r"|.*FileHeader\.Size|errors\.(?:Is|As)|regexp\..*\.MatchString",
        "*",
    ),
    _row(
        r"html\.EscapeString|(?:html|text)/template\.(?:HTMLEscape\w*|JSEscape\w*|URLQueryEscaper)|encoding/json\.Marshal\w*"
        r"|.*\.(?:Sanitize(?:Bytes)?|EscapeHTML|ToRss|ToAtom|ToJSON)",
        "html",
        "log",
    ),
    _row(r"net/url\.(?:QueryEscape|PathEscape)", "url", "html", "path", "shell", "log"),
    _row(r".*\.QuoteIdentifier|.*\.QuoteLiteral|.*pgx\.Identifier.*\.Sanitize|.*\.Rebind", "sql"),
    _row(r".*ldap\.Escape(?:Filter|DN)", "ldap"),
    _row(r".*shell(?:quote|escape|words)?\.(?:Quote|Join|QuoteCommand)|.*/syntax\.Quote", "shell"),
    _row(r"(?:path|path/filepath)\.Base|.*securejoin\.SecureJoin|.*FileHeader\.Filename|.*FormFile\(\)\.Filename", "path"),
    _row(r"strconv\.Quote\w*", "log"),
    _row(r"regexp\.QuoteMeta", "regex"),
)
CARRIERS = re.compile(
    r"fmt\.(?:Sprint(?:ln)?|Append\w*)|strings\.(?:Join|Replace(?:All)?|Trim\w*|To\w+|Split\w*|Fields|Title|Map|NewReader|Clone|Cut\w*)"
    r"|bytes\.(?:Join|Replace(?:All)?|Trim\w*|To\w+|Split\w*|NewReader|NewBuffer(?:String)?|Clone)|(?:path|path/filepath)\.(?:Join|Clean|Abs"
    r"|FromSlash|ToSlash|EvalSymlinks|Dir)|net/url\.(?:Parse|ParseRequestURI|QueryUnescape|PathUnescape|JoinPath|ParseQuery)"
    r"|(?:io|io/ioutil)\.(?:ReadAll|TeeReader|LimitReader|NopCloser)|bufio\.New(?:Reader|Scanner)\w*|net/http\.MaxBytesReader"
    r"|encoding/(?:json|xml|gob)\.(?:NewDecoder|Unmarshal)|encoding/(?:base64|hex)\..*DecodeString|.*yaml\.(?:Unmarshal|NewDecoder)"
    r"|append|encoding/json\.Marshal\w*|slices\.\w+|(?:html|text)/template\.(?:HTML|JS|URL|CSS|HTMLAttr|JSStr)|strings\.Repeat|min|max"
    r"|net/http\.CanonicalHeaderKey|compress/\w+\.NewReader|[\w/.]*\.(?:ResolveReference|JoinPath)"
)
FILTERS = re.compile(
    r"valid|sanit|escap|encod|clean|filter|check|allow|verif|quote|hash|strip|safe|normali|whitelist|lookup|find|load|resolve|get|fetch"
    r"|query|select|exec|authenticate|login|open|create|insert|sum|read|stat\b|output|run\b",
    re.IGNORECASE,
)
KEEPS = frozenset({"String", "Bytes", "Text", "Query", "Get", "Next", "TrimSpace", "Interface"})
"""Methods whose result is what they are called on, perhaps less of it."""
FILLS = re.compile(
    r"Decode|Unmarshal|(?:Should|Must)?Bind\w{0,20}|Sscanf?|Fscanf?|BodyParser|QueryParser|ParamsParser|ReadJSON|DecodeJSON|DecodeRequest"
)
"""Functions that fill what an argument points at."""
EMPTY = frozenset({"string", "strings.Builder", "bytes.Buffer"})
"""Types whose variables begin as the empty text."""
GROWS = frozenset({"WriteString", "Write", "WriteRune", "ReadFrom"})
GUARD = re.compile(
    r"(?<!\w)(?:(?:Contains|HasPrefix|HasSuffix|MatchString|Match|IsLocal|EqualFold|Rel|ValidPath)\w{0,20}"
    r"|\w{0,60}(?:[vV]alid|[aA]llow|[sS]afe|[cC]heck|[vV]erif|[oO]utside|[wW]hite|[pP]ermit)\w{0,60})\s*[(\[][^\n]{0,400}"
)
"""Calls and look-ups in which a value is asked about."""
