"""Panels for tests: a certificate authority made on the spot, and a server that answers raw bytes.

Real sockets and real TLS on a free port of 127.0.0.1; what is answered, a test scripts by a
function of the request.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# --- Certificates ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that vouches for whatever names it is given."""

    folder: Path
    ca_file: Path
    _name: x509.Name
    _key: ec.EllipticCurvePrivateKey

    def context(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """Give the TLS settings of a server with these names or addresses; `days` below 0 for a
        certificate that is no longer valid."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([*map(_alternative, names)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        both = self.folder / f"server-{certificate.serial_number:x}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        both.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context


def authority(folder: Path, name: str = "Test authority") -> Authority:
    """Make an authority, with its certificate at `ca_file` below `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    others = "digital_signature content_commitment key_encipherment data_encipherment"
    others += " key_agreement encipher_only decipher_only"
    usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(others.split(), False))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    ca_file = folder / f"{name.replace(' ', '-').lower()}.pem"
    ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    return Authority(folder, ca_file, certificate.subject, key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# --- The server -----------------------------------------------------------------------------------


class Request(NamedTuple):
    """What a server was asked."""

    method: str
    target: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes
    connection: int
    """Counts from 1."""


Script = Callable[[Request], bytes | Iterable[bytes]]


class Listener:
    """A server on a free port of 127.0.0.1, while it is entered as a context.

    It answers with the bytes that `answer` gives, or with one block after the other, and keeps the
    connection open unless they say `Connection: close`. Without TLS if `context` is None.
    """

    def __init__(self, answer: Script, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._answer, self._context = answer, context
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections that are open, as a panel does with idle ones."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                # Each block at once, and not when the one before is acknowledged (Nagle).
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._open.append(connection)
                serve = threading.Thread(
                    target=self._serve, args=(connection, self.connections), daemon=True
                )
                serve.start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # gone, or no TLS
            connection = stack.enter_context(plain)
            if self._context:
                # A second file descriptor, so that `hang_up` still reaches the connection.
                wrapped = self._context.wrap_socket(plain.dup(), server_side=True)
                connection = stack.enter_context(wrapped)
            stream = stack.enter_context(connection.makefile("rb"))
            while request := _read(stream, number):
                self.requests.append(request)
                answer = self._answer(request)
                closing = False
                for block in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(block)
                    closing = closing or b"\r\nconnection: close\r\n" in block.lower()
                if closing:
                    return


def _read(stream: BinaryIO, number: int) -> Request | None:
    line = stream.readline().decode("latin-1")
    # A greeting of TLS is random bytes, which now and then hold a line of three words.
    first = re.fullmatch(r"([A-Z]+) (\S+) HTTP/1\.[01]\r\n", line)
    if not first:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(first[1], first[2], headers, body, number)
