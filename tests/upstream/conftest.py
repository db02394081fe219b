"""An upstream's certificate, made once."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=upstream", "-addext", "subjectAltName=IP:127.0.0.1"]
    out = ["-keyout", str(file.with_name("key")), "-out", str(file.with_name("cert"))]
    subprocess.run([*command.split(), *names, *out], check=True, capture_output=True)
    file.write_text(file.with_name("cert").read_text() + file.with_name("key").read_text())
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
