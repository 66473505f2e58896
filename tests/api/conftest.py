# SPDX-License-Identifier: Apache-2.0
"""What the API tests share: a running stack, accounts in it, and a client
that checks of every reply what the contract says of all replies."""

import concurrent.futures
import http.client
import io
import itertools
import json
import os
import pathlib
import re
import secrets
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from decimal import Decimal

import jsonschema
import pymysql
import pytest

BIN_VISA = "491653"
BIN_MASTERCARD = "531993"
MISSING_CARD = "card_00000000000000000000"


class Env:
    """The NAME=value lines of $CARDSTOCK_ENV, and the folders beside it."""

    def __init__(self):
        self.var = pathlib.Path(os.environ["CARDSTOCK_VAR"])
        self.src = pathlib.Path(os.environ["CARDSTOCK_SRC"])
        path = os.environ.get("CARDSTOCK_ENV", self.var / "dev.env")
        for line in pathlib.Path(path).read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith("CARDSTOCK_"):
                setattr(self, name[len("CARDSTOCK_"):].lower(), value)
        url = urllib.parse.urlsplit(self.url)
        self.host, self.port = url.hostname, url.port
        self.origin = f"{url.scheme}://{url.netloc}"

    def secret(self, name):
        return (self.var / "secret" / f"{name}.password").read_text().strip()

    def pid(self, name):
        return int((self.var / "run" / f"{name}.pid").read_text().strip())


@pytest.fixture(scope="session")
def env():
    return Env()


def exact(text):
    """JSON with numbers as they are written, never through a float."""
    return json.loads(text, parse_float=Decimal)


class NoAnswer(Exception):
    """The connection ended, or the time was over, before a reply was here."""


class Link:
    """HTTP over TLS, one connection kept alive per thread. Nothing between
    a test and the bytes: no retries, no redirects."""

    def __init__(self, url, ca, cert=None):
        url = urllib.parse.urlsplit(url)
        self.host, self.port = url.hostname, url.port
        self.tls = ssl.create_default_context(cafile=ca)
        if cert is not None:
            self.tls.load_cert_chain(*cert)
        self.local = threading.local()

    def connection(self, timeout):
        link = getattr(self.local, "link", None)
        if link is None:
            link = self.local.link = http.client.HTTPSConnection(
                self.host, self.port, context=self.tls)
        if link.sock is not None:
            # What is to be read before a request is the server's goodbye.
            poll = select.poll()
            poll.register(link.sock, select.POLLIN)
            if poll.poll(0):
                link.close()
            else:
                link.sock.settimeout(timeout)
        link.timeout = timeout
        return link

    def request(self, method, path, headers, body, timeout):
        began = time.monotonic()
        link = self.connection(timeout)
        headers = {name: value for name, value in headers.items()
                   if value is not None}
        try:
            link.request(method,
                         urllib.parse.quote(path, safe="!#$%&'()*+,/:;=?@[]~"),
                         body, headers)
            response = link.getresponse()
            return Reply(response.status, response.headers, response.read(),
                         time.monotonic() - began)
        except (OSError, http.client.HTTPException) as error:
            link.close()
            del self.local.link
            raise NoAnswer(f"{method} {path}: {error!r}") from error


class Reply:
    def __init__(self, status, headers, raw, elapsed):
        self.status = status
        self.headers = headers
        self.raw = raw
        self.text = raw.decode()
        self.elapsed = elapsed
        self.request_id = headers.get("X-Request-Id")
        self.html = headers.get("Content-Type", "").startswith("text/html")
        self.body = exact(self.text) if self.text and not self.html else None

    @property
    def error(self):
        return self.body.get("error") if isinstance(self.body, dict) else None

    @property
    def message(self):
        return self.body.get("message") if isinstance(self.body, dict) else None

    @property
    def replayed(self):
        return self.headers.get("Idempotent-Replayed") == "true"

    def __getitem__(self, name):
        return self.body[name]

    def __repr__(self):
        return f"<{self.status} {self.text[:400]}>"


def dialect_of(headers):
    """Which dialect's words a request's credential asks for."""
    value = headers.get("Authorization") or ""
    value = value if isinstance(value, str) else value.decode("latin-1")
    scheme = value.split(" ")[0].lower()
    if scheme == "api-key" or value and " " not in value and scheme not in (
            "bearer", "basic", "digest", "token"):
        return "privacy"
    return "native"


class OpenApi:
    """Checks a reply against GET /v1/openapi.json."""

    def __init__(self, document, loose=False):
        self.document = document
        self.loose = loose  # a trailing slash is nothing
        jsonschema.Draft202012Validator.check_schema({})
        self.resolver = jsonschema.RefResolver("", document)
        self.paths = []
        for path, item in document["paths"].items():
            pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))
            self.paths.append((re.compile(pattern + r"\Z"), path, item))
        # A literal path is asked before a pattern that matches it too.
        self.paths.sort(key=lambda row: row[0].pattern.count("[^/]+"))
        self.succeeded = set()
        self.error = document["components"]["responses"]["Error"]

    def follow(self, node):
        while "$ref" in node:
            _, node = self.resolver.resolve(node["$ref"])
        return node

    def operation(self, method, path):
        path = urllib.parse.unquote(path.split("?")[0])
        if self.loose:
            path = path.removesuffix("/")
        for pattern, path_of, item in self.paths:
            if pattern.match(path):
                return path_of, self.follow(item).get(method.lower())
        return None, None

    def check(self, method, path, status, body):
        path_of, operation = self.operation(method, path)
        if status < 300:
            self.succeeded.add((method.lower(), path_of))
        if operation is None:
            assert status in (400, 401, 404, 405, 413, 414, 429, 431), \
                f"{method} {path} answered {status} and is not documented"
            response = self.error
        else:
            responses = operation["responses"]
            response = responses.get(str(status))
            if response is None:
                assert status >= 400, \
                    f"{method} {path}: status {status} is not documented"
                response = responses["default"]
        content = self.follow(response)["content"]
        if list(content) == ["text/html"] and status < 300:
            assert isinstance(body, str), f"{method} {path}: no HTML"
            return
        schema = content["application/json"]["schema"]
        validator = jsonschema.Draft202012Validator(
            schema, resolver=self.resolver)
        errors = [f"{error.json_path}: {error.message}"
                  for error in validator.iter_errors(body)]
        assert not errors, f"{method} {path} {status}: {errors}"


class Stack:
    """The running service, and what was seen of it so far."""

    def __init__(self, env):
        self.env = env
        self.link = Link(env.origin, env.ca)
        self.openapi = None  # the native document
        self.documents = {}
        self.lock = threading.Lock()
        self.errors_file = env.var / "errors-provoked"
        self.broken_expected = set()  # request ids that a test broke itself
        self.log_sizes = {path: path.stat().st_size
                          for path in (env.var / "log").rglob("*")
                          if path.is_file()}
        self.card_numbers = set()
        self.card_codes = {}  # card number -> CVV
        self.keys = set()
        self.webhook_secrets = set()
        for name in ("native", "privacy"):
            document = self.send("GET", f"/v1/openapi.json?dialect={name}")
            self.documents[name] = OpenApi(document.body, name == "privacy")
        self.openapi = self.documents["native"]

    def provoked(self, code):
        with self.lock, open(self.errors_file, "a") as file:
            file.write(code + "\n")

    def send(self, method, path, headers=None, body=None, check=True,
             timeout=30):
        """One request; what holds for every reply is asserted of this one."""
        headers = dict(headers or {})
        headers.setdefault("User-Agent", "cardstock-tests")
        reply = self.link.request(method, path, headers, body, timeout)
        if isinstance(reply.body, dict) and reply.body.get("secret"):
            self.webhook_secrets.add(reply["secret"])
        if check:
            self.check(method, path, reply, dialect_of(headers))
        return reply

    def check(self, method, path, reply, dialect="native"):
        where = f"{method} {path}: {reply!r}"
        assert re.fullmatch(r"req_[0-9a-f]{12}", reply.request_id or ""), where
        assert reply.headers.get("Cache-Control") == "no-store", where
        if method == "HEAD" or reply.status == 204:
            assert reply.raw == b"", where
            return
        # Without a credential a path may be one that only the other has.
        if isinstance(reply.body, dict) and "debugging_request_id" in reply.body \
                or reply.html:
            dialect = "privacy"
        assert reply.html and reply.status < 300 or \
            reply.headers["Content-Type"] == "application/json", where
        if reply.status >= 400 and dialect == "privacy":
            self.check_privacy_error(reply)
        elif reply.status >= 400 and "error" in reply.body:
            self.check_error(reply)
        elif reply.status >= 400:
            assert (path, reply.status) == ("/v1/status", 503), where
        if dialect in self.documents:
            self.documents[dialect].check(
                method, path, reply.status,
                reply.text if reply.html else reply.body)

    def check_error(self, reply):
        body = reply.body
        self.provoked(body["error"])
        assert body["code"] == reply.status, reply
        assert body["request_id"] == reply.request_id, reply
        assert body["message"].endswith("."), reply
        assert set(body) <= {"error", "message", "code", "request_id",
                             "param"}, reply
        if reply.status in (429, 503):
            assert int(reply.headers["Retry-After"]) >= 1, reply
        if reply.status == 405:
            assert reply.headers["Allow"], reply

    # What only this dialect has to say.
    privacy_codes = {
        "Please provide API key in the form Authorization: api-key [api-key]":
            "credentials_malformed"}

    def check_privacy_error(self, reply):
        body = reply.body
        assert set(body) <= {"debugging_request_id", "message", "token"}, reply
        assert "token" not in body or reply.status == 422, reply
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
            r"[0-9a-f]{12}", body["debugging_request_id"]), reply
        if reply.headers.get("Idempotent-Replayed") is None:
            assert body["debugging_request_id"].replace("-", "")[:12] == \
                reply.request_id[len("req_"):], reply
        assert body["message"], reply
        if body["message"] in self.privacy_codes:
            self.provoked(self.privacy_codes[body["message"]])
        elif reply.status == 422 and "token" not in body and \
                "idempotency" not in body["message"]:
            self.provoked("not_supported")
        if reply.status in (429, 503):
            assert int(reply.headers["Retry-After"]) >= 1, reply
        if reply.status == 405:
            assert reply.headers["Allow"], reply

    def raw(self, data, timeout=30):
        """Bytes as they are, for what no HTTP library would send."""
        context = ssl.create_default_context(cafile=self.env.ca)
        with socket.create_connection((self.env.host, self.env.port),
                                      timeout) as plain:
            with context.wrap_socket(plain,
                                     server_hostname=self.env.host) as tls:
                tls.sendall(data)
                received = b""
                while chunk := self.receive(tls):
                    received += chunk
        return self.parse(received)

    @staticmethod
    def receive(tls):
        try:
            return tls.recv(65536)
        except ssl.SSLEOFError:
            return b""

    @staticmethod
    def parse(received):
        class Pipe:
            def makefile(self, *_):
                return io.BytesIO(received)

        response = http.client.HTTPResponse(Pipe())
        response.begin()
        return Reply(response.status, response.headers, response.read(), 0)

    def lines(self, lines, body=b"", method="POST", path="/v1/cards",
              check=True):
        """A request with exactly these header lines, doubled ones too."""
        head = [f"{method} {path} HTTP/1.1".encode(), b"Host: localhost",
                b"Connection: close",
                b"Content-Length: %d" % len(body)]
        head += [line.encode("latin-1") if isinstance(line, str) else line
                 for line in lines]
        reply = self.raw(b"\r\n".join(head) + b"\r\n\r\n" + body)
        sent = dict(line.split(": ", 1) for line in lines
                    if isinstance(line, str) and ": " in line)
        if check:
            self.check(method, path, reply, dialect_of(sent))
        return reply


class Client:
    """Requests with one key. Paths are below /v1 unless they say more."""

    scheme = "Bearer "

    def __init__(self, stack, key=None):
        self.stack = stack
        self.key = key

    def call(self, method, path, json_body=None, body=None, headers=None,
             idempotency=None, check=True, **query):
        sent = {}
        if self.key is not None:
            sent["Authorization"] = self.scheme + self.key
        if json_body is not None:
            body = json.dumps(json_body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        if idempotency is not None:
            sent["X-Idempotency-Key"] = idempotency
        sent.update(headers or {})
        path = path if path.startswith("/v1") else "/v1" + path
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.stack.send(method, path, sent, body, check)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, json_body=None, **options):
        return self.call("POST", path, json_body, **options)

    def patch(self, path, json_body=None, **options):
        return self.call("PATCH", path, json_body, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)

    # What most tests need before they begin.

    def deposit(self, dollars=1000):
        reply = self.post("/simulate/deposit",
                          {"currency": "btc", "amount_usd": dollars})
        assert reply.status == 201, reply
        return reply["credited_usd"]

    def card(self, amount=100, **fields):
        reply = self.post("/cards", {"bin_id": BIN_VISA, "amount": amount,
                                     **fields})
        assert reply.status == 201, reply
        return reply.body

    def details(self, card_id):
        reply = self.get(f"/cards/{card_id}/details")
        if reply.status == 200:
            self.stack.card_numbers.add(reply["pan"])
            self.stack.card_codes[reply["pan"]] = reply["cvv"]
        return reply

    def balance(self):
        reply = self.get("/wallet/balance")
        assert reply.status == 200, reply
        return reply["balance"]

    def wallet(self):
        """The wallet, its identity checked."""
        reply = self.get("/wallet/balance")
        assert reply.status == 200, reply
        wallet = reply.body
        assert wallet["total_deposited"] - wallet["total_spent"] == \
            wallet["balance"], wallet
        return wallet


class PrivacyClient(Client):
    """The same in the Privacy dialect; some of its clients send the bare key."""

    def __init__(self, stack, key, scheme="api-key "):
        super().__init__(stack, key)
        self.scheme = scheme

    def put(self, path, json_body=None, **options):
        return self.call("PUT", path, json_body, **options)


@pytest.fixture(scope="session")
def stack(env):
    stack = Stack(env)
    stack.keys.update((env.test_key, env.live_key, env.privacy_key))
    return stack


def pytest_sessionstart(session):
    var = os.environ.get("CARDSTOCK_VAR")
    if var is not None and not hasattr(session.config, "workerinput"):
        (pathlib.Path(var) / "errors-provoked").unlink(missing_ok=True)


def pytest_collection_modifyitems(items):
    # What looks back at the whole run comes last; what kills parts of the
    # stack just before it.
    order = {"test_faults": 1, "test_pool": 1, "test_walk": 1, "test_secrets": 2,
             "test_zz_run": 3}
    items.sort(key=lambda item: order.get(item.module.__name__, 0))


@pytest.fixture
def anonymous(stack):
    return Client(stack)


# --- the database, as operator, as owner and as the workers' own user -------


class Database:
    def __init__(self, env, user, secret):
        self.options = {
            "unix_socket": env.db_socket, "database": env.db_name,
            "user": user, "password": env.secret(secret), "autocommit": True,
            "cursorclass": pymysql.cursors.DictCursor}

    def connect(self):
        return pymysql.connect(**self.options)

    def rows(self, sql, *args):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, args)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def row(self, sql, *args):
        rows = self.rows(sql, *args)
        assert len(rows) == 1, (sql, args, rows)
        return rows[0]

    def value(self, sql, *args):
        return next(iter(self.row(sql, *args).values()))

    def call(self, procedure, *args):
        marks = ", ".join(["%s"] * len(args))
        return self.rows(f"CALL {procedure}({marks})", *args)


@pytest.fixture(scope="session")
def admin(env):
    return Database(env, "cardstock_admin", "admin")


@pytest.fixture(scope="session")
def owner(env):
    return Database(env, "cardstock_owner", "owner")


# --- accounts ---------------------------------------------------------------

ALL_SCOPES = "read,write,cards:details"


class Account:
    """A fresh account with a native key in each world."""

    def __init__(self, stack, admin):
        self.stack, self.admin = stack, admin
        name = "test " + secrets.token_hex(6)
        self.id = admin.call("admin_account_create", name)[0]["account_id"]
        self.test = self.client("test")
        self.live = self.client("live")

    def issue(self, mode="test", dialect="native", scopes=ALL_SCOPES,
              networks="", expires_at=None, label="tests"):
        row = self.admin.call("admin_key_issue", self.id, mode, dialect,
                              scopes, label, expires_at, networks)[0]
        self.stack.keys.add(row["api_key"])
        return row

    def client(self, mode="test", **options):
        return Client(self.stack, self.issue(mode, **options)["api_key"])

    def privacy(self, mode="test", scheme="api-key ", **options):
        key = self.issue(mode, "privacy", **options)["api_key"]
        return PrivacyClient(self.stack, key, scheme)

    def suspend(self):
        self.admin.call("admin_account_suspend", self.id)

    def reactivate(self):
        self.admin.call("admin_account_reactivate", self.id)

    def adjust(self, mode, cents):
        self.admin.call("admin_wallet_adjust", self.id, mode, cents,
                        "a test's money")


@pytest.fixture
def account(stack, admin):
    return Account(stack, admin)


@pytest.fixture
def stranger(stack, admin):
    return Account(stack, admin)


@pytest.fixture
def api(account):
    """A test key whose wallet holds something."""
    account.test.deposit(10000)
    return account.test


@pytest.fixture
def card(api):
    return api.card(100)


@pytest.fixture
def wallet_id(owner, account):
    return owner.value(
        "SELECT w.id FROM wallets w JOIN accounts a ON a.id = w.account_id "
        "WHERE a.public_id = %s AND w.mode = 'test'", account.id)


# --- many at once, faults, the audit ----------------------------------------


def at_once(count, work):
    """work(0) … work(count - 1), all let go at the same moment."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture(scope="session")
def audit(env):
    """Runs cardstock-audit; its output must be clean."""

    def run():
        done = subprocess.run(
            [env.src / "dev", "audit"], capture_output=True, text=True,
            env={**os.environ, "CARDSTOCK_VAR": str(env.var)})
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def children(pid):
    """Processes whose parent is pid."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def until(condition, seconds=30, step=0.1):
    """Waits for it; False when it never came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def unique(_count=itertools.count()):
    """A new idempotency key."""
    return f"key-{secrets.token_hex(8)}-{next(_count)}"


def luhn(number):
    digits = [int(digit) for digit in reversed(number)]
    doubled = (digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) +
            sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0
