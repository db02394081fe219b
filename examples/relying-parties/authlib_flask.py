"""A Flask application whose people sign in at the gate, by Authlib (`pip install authlib flask
requests`):

    ISSUER=https://app.example CLIENT_ID=… CLIENT_SECRET=… PORT=9000 python authlib_flask.py

Who is signed in stands in the process's memory, so that the gate can sign people out here (OpenID
Connect Back-Channel Logout 1.0). A real application keeps that in its database.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, redirect, render_template_string, request, session, url_for
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response

ISSUER, CLIENT_ID, PORT = (os.environ[name] for name in ("ISSUER", "CLIENT_ID", "PORT"))
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"

PAGE = """<!doctype html><html lang="en"><title>Club calendar</title><h1>Club calendar</h1>
{% if who %}
<p>Signed in as {{ who.userinfo.name }}, {{ who.userinfo.email }}.</p>
<p>Refreshed {{ who.refreshed }} times.</p>
<p><a href="{{ url_for('refresh') }}">Refresh</a> <a href="{{ url_for('logout') }}">Sign out</a></p>
{% else %}
<p>Nobody is signed in.</p>
<p><a href="{{ url_for('login') }}">Sign in</a></p>
{% endif %}"""

app = Flask(__name__)
# Cookies know no ports, and there may be more of us.
app.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_NAME=f"calendar-{PORT}")
gate = OAuth(app).register(
    "gate",
    client_id=CLIENT_ID,
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={
        "scope": "openid profile email offline_access",
        "code_challenge_method": "S256",
    },
)
signed_in: dict[str, dict[str, Any]] = {}
heard: dict[str, int] = {}
"""The `jti` of logout tokens that were obeyed, and when they end."""


@app.get("/")
def home() -> str:
    return render_template_string(PAGE, who=signed_in.get(session.get("key", "")))


@app.get("/login")
def login() -> Any:
    return gate.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback() -> Response:
    token = gate.authorize_access_token()
    session["key"] = key = secrets.token_urlsafe()
    claims = token["userinfo"]  # the ID token's, as Authlib has it
    signed_in[key] = {**token, "refreshed": 0, "claims": claims, "userinfo": told(token, claims)}
    return redirect(url_for("home"))


def told(token: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
    """Ask the gate about whoever a token is of."""
    userinfo: dict[str, Any] = gate.userinfo(token=token)
    if userinfo["sub"] != claims["sub"]:
        raise OAuthError("invalid_token")
    return userinfo


@app.get("/refresh")
def refresh() -> Response:
    who = signed_in[session["key"]]
    token = gate.fetch_access_token(grant_type="refresh_token", refresh_token=who["refresh_token"])
    userinfo = told(token, who["claims"])
    who.update(token, userinfo=userinfo, refreshed=who["refreshed"] + 1)
    return redirect(url_for("home"))


@app.get("/logout")
def logout() -> Any:
    """Sign out here, then at the gate, which leads back here."""
    who = signed_in.pop(session.pop("key", ""), None)
    if who is None:
        return redirect(url_for("home"))
    return gate.logout_redirect(url_for("signed_out", _external=True), who["id_token"])


@app.get("/signed-out")
def signed_out() -> Response:
    gate.validate_logout_response()
    return redirect(url_for("home"))


@app.post("/backchannel-logout")
def backchannel_logout() -> tuple[str, int]:
    """Sign out whom the gate has signed out."""
    try:
        token = verified(request.form.get("logout_token", ""))
    except (JoseError, ValueError) as error:
        return str(error), 400
    ended = [key for key, who in signed_in.items() if who["claims"].get("sid") == token["sid"]]
    for key in ended:
        signed_in.pop(key, None)
    return "", 204


def verified(logout_token: str) -> dict[str, Any]:
    """Give the claims of a logout token as section 2.6 wants it verified. Raises `JoseError` and
    `ValueError`."""
    known = gate.load_server_metadata()
    algorithms = known["id_token_signing_alg_values_supported"]
    keys = KeySet.import_key_set(gate.fetch_jwk_set(force=True))
    token = jwt.decode(logout_token, keys, algorithms=algorithms)
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": known["issuer"]},
        aud={"essential": True, "value": CLIENT_ID},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        sid={"essential": True},
        events={"essential": True},
    ).validate(token.claims)
    now = int(time.time())
    for jti in [jti for jti, until in heard.items() if until < now]:
        del heard[jti]
    is_one = token.header.get("typ") == "logout+jwt" and LOGOUT in token.claims["events"]
    if not is_one or "nonce" in token.claims or token.claims["jti"] in heard:
        raise ValueError("This is no logout token, or an old one.")
    heard[token.claims["jti"]] = token.claims["exp"]
    return token.claims


@app.errorhandler(OAuthError)
def refused(error: OAuthError) -> tuple[str, int]:
    return f"The gate says: {error.error}", 403


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(PORT))
