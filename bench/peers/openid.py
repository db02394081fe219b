"""An OpenID provider that signs everybody in, and a browser that goes there: for peers that want a
sign-in before they let anybody through."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "bench", secrets.token_urlsafe(32)


@contextmanager
def provider() -> Iterator[str]:
    """Serve the provider; give its issuer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Endpoints) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Endpoints(BaseHTTPRequestHandler):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def do_GET(self) -> None:
        if self.path.startswith("/authorize"):
            asked = dict(parse_qs(urlsplit(self.path).query))
            # What the ID token is to say goes with the code: nothing is kept here.
            code = jwt.encode({"nonce": asked.get("nonce", [""])[0]}, SECRET, "HS256")
            back = urlencode({"code": code, "state": asked["state"][0]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri'][0]}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/keys":
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            self._tell({"keys": [{**jwk, "kid": "1", "use": "sig", "alg": "RS256"}]})
        else:
            self._tell(self._metadata())

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        now = int(time.time())
        claims = {
            "iss": self._issuer(),
            "aud": CLIENT,
            "sub": "sue",
            "email": "sue@example.com",
            "email_verified": True,
            "nonce": jwt.decode(form["code"][0], SECRET, ["HS256"])["nonce"],
            "iat": now,
            "exp": now + 36_000,
        }
        token = jwt.encode(claims, self.key, "RS256", headers={"kid": "1"})
        self._tell({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _issuer(self) -> str:
        return f"http://{self.headers['Host']}"

    def _metadata(self) -> dict[str, object]:
        issuer = self._issuer()
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _tell(self, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def signed_in(url: str) -> str:
    """Open a page, sign in on the way to it, and give the Cookie header that opens it from then
    on."""
    with requests.Session() as browser:
        answer = browser.get(url, timeout=10)
        answer.raise_for_status()
        return "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
