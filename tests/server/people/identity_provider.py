"""An OpenID Connect provider on loopback: real signatures, a key set that rotates, codes that work once, PKCE. Tests tell it how to lie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, CLIENT_WORD = "assay", "between-us"


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class IdentityProvider:
    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.keys: list[RSAKey | ECKey] = []
        self.rotate()
        self.codes: dict[str, dict[str, str]] = {}
        self.user: dict[str, Any] = {"sub": "u-1", "preferred_username": "grace", "email": "grace@example.org", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.lies: dict[str, Any] = {}
        self.forged = ""
        self.metadata: dict[str, Any] = {}
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def rotate(self, kind: type[RSAKey | ECKey] = ECKey) -> None:
        """A new key; the ones before are gone."""
        name = f"k{time.monotonic_ns()}"
        made = ECKey.generate_key("P-256", {"kid": name, "use": "sig"}) if kind is ECKey else RSAKey.generate_key(2048, {"kid": name})
        self.keys = [made]

    def authorize(self, address: str) -> dict[str, str]:
        """What the browser brings back, when its user agreed."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = text(hashlib.sha256(str(time.monotonic_ns()).encode()).digest())
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.keys[0]
        algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)

    def claims(self, nonce: str, audience: str = CLIENT) -> dict[str, Any]:
        now = self.clock() // 1_000_000
        made = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 300, "nonce": nonce} | self.user | self.lies
        return {name: value for name, value in made.items() if value is not None}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{CLIENT_WORD}".encode()).decode()
        if not hmac.compare_digest(authorization, expected):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if text(hashlib.sha256(form.get("code_verifier", "").encode()).digest()) != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        made = self.forged or self.signed(self.claims(asked["nonce"]))
        return 200, {"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": made}

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            base = self.issuer
            known = {
                "issuer": base, "jwks_uri": f"{base}/keys", "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token", "userinfo_endpoint": f"{base}/userinfo", "end_session_endpoint": f"{base}/end",
            }  # fmt: skip
            return 200, known | self.metadata
        if path == "/keys":
            return 200, {"keys": [{"kty": "mystery", "kid": "m"}] + [key.as_dict(private=False) for key in self.keys]}
        return (200, self.userinfo) if path == "/userinfo" else (404, {})

    def forge_none(self, claims: dict[str, Any]) -> str:
        return f"{text(json.dumps({'alg': 'none'}).encode())}.{text(json.dumps(claims).encode())}."

    def forge_shared(self, claims: dict[str, Any]) -> str:
        """Signed with the public key as if it were a shared one."""
        public = self.keys[0].as_pem(private=False)
        header = {"alg": "HS256", "kid": self.keys[0].kid}
        said = f"{text(json.dumps(header).encode())}.{text(json.dumps(claims).encode())}"
        return f"{said}.{text(hmac.digest(public, said.encode(), 'sha256'))}"

    def forge_other_key(self, claims: dict[str, Any]) -> str:
        key = ECKey.generate_key("P-256", {"kid": str(self.keys[0].kid)})
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)

    def forge_own_key(self, claims: dict[str, Any]) -> str:
        """With the key to check it in its own header."""
        key = ECKey.generate_key("P-256", {"kid": "mine"})
        return jwt.encode({"alg": "ES256", "kid": "mine", "jwk": key.as_dict(private=False)}, claims, key)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.say(*provider.answer(urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self.say(*provider.token(form, self.headers.get("authorization", "")))

            def say(self, status: int, document: dict[str, Any]) -> None:
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
