# SPDX-License-Identifier: Apache-2.0
"""Real HTTPS receivers of webhooks on loopback: they record all that comes,
and misbehave as a test says, path by path."""

import collections
import contextlib
import datetime
import ipaddress
import itertools
import pathlib
import select
import socket
import ssl
import struct
import threading
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Hangup(Exception):
    """The connection ends here."""


class Request:
    """One request as it came."""

    def __init__(self, head, body, at, connection, resumed):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, self.version = lines[0].split(" ")
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.body = body
        self.at = at
        self.connection = connection
        self.resumed = resumed  # the TLS session was one from before

    def header(self, name):
        """Its only value; None without."""
        values = [value for key, value in self.headers
                  if key.lower() == name]
        assert len(values) <= 1, self.headers
        return values[0] if values else None

    @property
    def id(self):
        return self.header("webhook-id")

    def __repr__(self):
        return f"<{self.method} {self.path} {self.id} {self.body[:200]!r}>"


class Exchange:
    """One request and the connection that it came on."""

    def __init__(self, receiver, link, request):
        self.receiver, self.link, self.request = receiver, link, request

    def send(self, data):
        try:
            self.link.sendall(data)
        except (OSError, ValueError) as error:
            raise Hangup from error

    def reply(self, status, headers=(), body=b"", length=None):
        length = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status} As asked", *(
            f"{name}: {value}" for name, value in dict(headers).items())]
        if length >= 0:
            lines.append(f"Content-Length: {length}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def pause(self, seconds):
        """Until the time is over; Hangup once the other side has gone."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.receiver.closing.is_set():
                raise Hangup
            if select.select([self.link], [], [], min(left, 0.1))[0] and \
                    not self.receiver.receive(self.link):
                raise Hangup


# --- behaviours: functions of an exchange -------------------------------------


def answer(status, headers=(), body=b""):
    return lambda exchange: exchange.reply(status, headers, body)


def closing(status=200):
    """Promises nothing, and closes after each reply."""
    def behave(exchange):
        exchange.reply(status)
        raise Hangup
    return behave


def slow(seconds, status=200):
    def behave(exchange):
        exchange.pause(seconds)
        exchange.reply(status)
    return behave


def hang(exchange):
    exchange.pause(3600)


def hang_in_body(exchange):
    exchange.reply(200, body=b"begun", length=1000)
    exchange.pause(3600)


def endless_body(exchange):
    exchange.reply(200, length=-1)
    while not exchange.receiver.closing.is_set():
        exchange.send(b"endless " * 8192)


def endless_headers(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        exchange.send(b"X-%d: %s\r\n" % (number, b"x" * 8000))


def trickle_headers(exchange):
    """A header that grows by a byte twice a second: never quite silent."""
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        exchange.send(b"x")
        exchange.pause(0.5)


def trickle_body(exchange):
    exchange.reply(200, length=100000)
    while True:
        exchange.send(b"x")
        exchange.pause(0.5)


def redirect(status, location):
    return answer(status, {"Location": location})


def reset(exchange):
    """RST instead of a reply."""
    exchange.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
    raise Hangup


def plainly(data):
    """These bytes, and the end."""
    def behave(exchange):
        exchange.send(data)
        raise Hangup
    return behave


def close(exchange):
    raise Hangup


def garbage(exchange):
    exchange.send(bytes(range(256)) * 4 + b"\r\n\r\n")
    raise Hangup


def http_09(exchange):
    """A body and nothing else, as in 1991."""
    exchange.send(b"<html>200 OK</html>\n")
    raise Hangup


# --- the receiver -------------------------------------------------------------


class Receiver:
    """Answers 200 unless on() said otherwise. TLS with the certificate and
    key given; without, whatever comes is met by the bytes of `greeting`."""

    def __init__(self, certificate=None, host="127.0.0.1", port=0,
                 name="127.0.0.1", maximum=None, greeting=None):
        self.name = name
        self.greeting = greeting
        self.requests = []
        self.connections = 0
        self.failures = []  # handshakes that came to nothing
        self.rules = {}
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.context = self.tls(certificate, maximum) if certificate else None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server(
            (host, port), family=family, backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.links = set()
        threading.Thread(target=self.accept, daemon=True).start()

    @staticmethod
    def tls(certificate, maximum):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if maximum is not None:
            # Old versions have no ciphers at the level of today.
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = maximum
        context.load_cert_chain(*certificate)
        return context

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.closing.set()
        # Wakes accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for link in list(self.links):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def url(self, path="/", name=None):
        return f"https://{name or self.name}:{self.port}{path}"

    def on(self, path, *behaviours):
        """One behaviour a request; the last stays."""
        with self.changed:
            self.rules[path] = collections.deque(behaviours)

    def behaviour(self, path):
        with self.changed:
            rules = self.rules.get(path)
            if not rules:
                return answer(200)
            return rules.popleft() if len(rules) > 1 else rules[0]

    def accept(self):
        while not self.closing.is_set():
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                number = self.connections
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(link, number),
                             daemon=True).start()

    def serve(self, link, number):
        self.links.add(link)
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is None:
                self.greet(link)
                return
            plain, link = link, self.context.wrap_socket(link,
                                                         server_side=True)
            self.links.discard(plain)
            self.links.add(link)
            with contextlib.suppress(Hangup):
                while not self.closing.is_set():
                    self.exchange(link, number)
        except OSError as error:
            self.failures.append(error)
        finally:
            self.links.discard(link)
            link.close()

    def greet(self, link):
        if self.greeting is None:
            link.recv(1)
            self.closing.wait(3600)
        else:
            link.sendall(self.greeting)

    @staticmethod
    def receive(link):
        try:
            return link.recv(65536)
        except (OSError, ValueError):
            return b""

    def read(self, link):
        """(head, body) of the next request."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.receive(link)
            if not more:
                raise Hangup
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            more = self.receive(link)
            if not more:
                raise Hangup
            body += more
        return head, body

    def exchange(self, link, number):
        head, body = self.read(link)
        request = Request(head, body, time.time(), number,
                          link.session_reused)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        self.behaviour(request.path)(Exchange(self, link, request))

    # What tests ask.

    def at(self, path):
        with self.changed:
            return [request for request in self.requests
                    if request.path == path]

    def wait(self, path, count=1, seconds=20, key=None):
        """At least so many requests of the path, once they are here; with a
        key so many different ones."""
        def here():
            found = self.at(path)
            return found if len(set(map(key, found)) if key else found) \
                >= count else None
        with self.changed:
            found = self.changed.wait_for(here, seconds)
        assert found, f"{path}: {len(self.at(path))} of {count} came " \
            f"within {seconds} s: {self.at(path)}"
        return found

    def quiet(self, path, count, seconds=0.5):
        """No more than so many came, for so long."""
        time.sleep(seconds)
        found = self.at(path)
        assert len(found) == count, found
        return found


# --- certificates -------------------------------------------------------------


class Authority:
    """Certificates by the development CA, good ones and others."""

    def __init__(self, env, folder):
        self.folder = pathlib.Path(folder)
        self.certificate = x509.load_pem_x509_certificate(
            (env.var / "tls/ca.pem").read_bytes())
        self.key = serialization.load_pem_private_key(
            (env.var / "tls/ca.key").read_bytes(), None)
        self.count = itertools.count()

    def issue(self, *names, expired=False, self_signed=False):
        """(certificate, key): files for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(days=-1 if expired else 30)
        certificate = x509.CertificateBuilder().subject_name(
            subject).issuer_name(
                subject if self_signed else self.certificate.subject
        ).public_key(key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(
                now - datetime.timedelta(days=40)).not_valid_after(
                    end).add_extension(
            x509.SubjectAlternativeName([self.name(name) for name in names]),
            critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False).sign(
                key if self_signed else self.key, hashes.SHA256())
        place = self.folder / f"certificate-{next(self.count)}"
        place.with_suffix(".pem").write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM))
        place.with_suffix(".key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return place.with_suffix(".pem"), place.with_suffix(".key")

    @staticmethod
    def name(name):
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)
