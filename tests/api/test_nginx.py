# SPDX-License-Identifier: Apache-2.0
"""What nginx decides, on an nginx of the test's own that runs the shipped
site: TLS, its own errors, sizes, headers that come twice, what it logs, and
the rate limits, scaled down so that a test can reach them."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from private import Nginx, Pool, wait_for

ERROR = re.compile(
    r'^ERROR\(\w+, "(\w+)", (\d+), (?:true|false), "(.*)"\)$', re.M)
KEY = "sk_test_ThisKeyIsNobodys0000000000"


@pytest.fixture(scope="module")
def nginx(env, tmp_path_factory):
    nginx = Nginx(env, tmp_path_factory.mktemp("n")).start()
    yield nginx
    nginx.stop()


@pytest.fixture(scope="module")
def errors(env):
    table = (env.src / "src/base/error.def").read_text()
    return {code: (int(status), sentence)
            for code, status, sentence in ERROR.findall(table)}


def raw(nginx, data, port=None, certificate=None, tls=True):
    """(status, headers, body) for bytes as they are."""
    context = ssl.create_default_context(cafile=nginx.env.ca)
    if certificate:
        context.load_cert_chain(*certificate)
    received = b""
    with socket.create_connection(("127.0.0.1", port or nginx.port),
                                  20) as link:
        if tls:
            link = context.wrap_socket(link, server_hostname="localhost")
        link.sendall(data if isinstance(data, bytes)
                     else data.encode("latin-1"))
        while not complete(received):
            try:
                chunk = link.recv(65536)
            except (ssl.SSLEOFError, ConnectionResetError):
                break
            if not chunk:
                break
            received += chunk
        link.close()
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in
               (line.partition(":") for line in lines[1:])]
    return int(lines[0].split()[1]), headers, body


def complete(received):
    """nginx lingers after a refusal: do not wait for it to close."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end and length and len(body) >= int(length[1]))


def get(target="/v1/status", *lines, method="GET", body=""):
    head = [f"{method} {target} HTTP/1.1", "Host: localhost",
            "Connection: close", *lines]
    return "\r\n".join(head) + "\r\n\r\n" + body


def check_error(reply, errors, code):
    status, headers, body = reply
    error = json.loads(body)
    assert error["error"] == code, error
    assert (status, error["message"]) == errors[code]
    assert error["code"] == status
    assert set(error) == {"error", "message", "code", "request_id"}
    check_headers(headers, error["request_id"])
    if status in (429, 502, 503):
        assert int(dict(headers)["retry-after"]) >= 1
    if status == 405:
        assert "GET" in dict(headers)["allow"]


def check_headers(headers, request_id=None):
    names = [name for name, _ in headers]
    only = dict(headers)
    for name in ("x-request-id", "cache-control", "content-type",
                 "strict-transport-security", "x-content-type-options"):
        assert names.count(name) == 1, (name, headers)
    assert re.fullmatch(r"req_[0-9a-f]{12}", only["x-request-id"])
    assert request_id in (None, only["x-request-id"])
    assert only["cache-control"] == "no-store"
    assert only["content-type"] == "application/json"
    assert int(re.match(r"max-age=(\d+)", only[
        "strict-transport-security"])[1]) >= 31536000
    assert only["server"] == "nginx", "the version is nobody's business"


# --- TLS ---------------------------------------------------------------------


def handshake(nginx, lowest, highest, ciphers="ALL:@SECLEVEL=0", alpn=()):
    context = ssl.create_default_context(cafile=nginx.env.ca)
    context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = lowest, highest
    if alpn:
        context.set_alpn_protocols(alpn)
    with socket.create_connection(("127.0.0.1", nginx.port), 10) as link:
        with context.wrap_socket(link, server_hostname="localhost") as tls:
            return tls.version(), tls.cipher()[0], \
                tls.selected_alpn_protocol()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_versions(nginx):
    version = ssl.TLSVersion
    for good, name in ((version.TLSv1_2, "TLSv1.2"),
                       (version.TLSv1_3, "TLSv1.3")):
        assert handshake(nginx, good, good)[0] == name
    for bad in (version.TLSv1, version.TLSv1_1):
        with pytest.raises(ssl.SSLError):
            handshake(nginx, bad, bad)


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES128-GCM-SHA256",
                                     "ECDHE-RSA-AES128-SHA", "NULL-SHA256",
                                     "ECDHE-ECDSA-AES256-SHA384"])
def test_weak_ciphers_are_refused(nginx, ciphers):
    version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(nginx, version, version, ciphers + ":@SECLEVEL=0")


def test_http2(nginx):
    version = ssl.TLSVersion
    assert handshake(nginx, version.TLSv1_2, version.TLSv1_3,
                     alpn=("h2", "http/1.1"))[2] == "h2"
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--cacert", nginx.env.ca, "--http2",
         "-w", "\n%{http_version} %{http_code}",
         f"https://127.0.0.1:{nginx.port}/v1/status"],
        capture_output=True, text=True)
    assert done.stdout.endswith("\n2 200"), done


# --- errors of nginx's own ---------------------------------------------------

HUGE = "a" * 9000

REFUSED = [
    ("outside the API", get("/"), "not_found"),
    ("outside the API", get("/v1.json"), "not_found"),
    ("outside the API", get("/favicon.ico"), "not_found"),
    ("network API here", get("/network/v1/x"), "not_found"),
    ("an internal page", get("/.cardstock/500"), "not_found"),
    ("operators only", get("/metrics"), "forbidden"),
    ("no request line", "GET\r\n\r\n", "bad_request"),
    ("not HTTP", "\x16\x03nonsense\r\n\r\n", "bad_request"),
    ("no host", "GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n",
     "bad_request"),
    ("HTTP/9", get().replace("HTTP/1.1", "HTTP/9.1"), "bad_request"),
    ("above the root", get("/../x"), "bad_request"),
    ("bad escape", get("/v1/%zz"), "bad_request"),
    ("NUL", get("/v1/%00"), "bad_request"),
    ("two lengths", get("/v1/cards", "Content-Length: 2",
                        "Content-Length: 3", method="POST", body="{}"),
     "bad_request"),
    ("smuggling", get("/v1/cards", "Content-Length: 5",
                      "Transfer-Encoding: chunked", method="POST",
                      body="0\r\n\r\n"), "bad_request"),
    ("encoding", get("/v1/cards", "Transfer-Encoding: gzip", method="POST"),
     "bad_request"),
    ("bad length", get("/v1/cards", "Content-Length: -1", method="POST"),
     "bad_request"),
    ("trace", get(method="TRACE"), "method_not_allowed"),
    ("connect", get(method="CONNECT"), "method_not_allowed"),
    ("long target", get("/v1/cards?label=" + HUGE), "uri_too_long"),
    ("long header", get("/v1/status", "X-Long: " + HUGE),
     "headers_too_large"),
    ("many headers", get("/v1/status", *(f"X-{i}: {HUGE[:7000]}"
                                         for i in range(9))),
     "headers_too_large"),
    ("body announced", get("/v1/cards", "Content-Length: 65537",
                           method="POST"), "body_too_large"),
    ("body elsewhere", get("/x", "Content-Length: 99999", method="PUT"),
     "body_too_large"),
]


@pytest.mark.parametrize("what, data, code", REFUSED,
                         ids=[row[0] for row in REFUSED])
def test_refusals_have_the_contract_s_shape(nginx, errors, stack, what, data,
                                            code):
    reply = raw(nginx, data)
    check_error(reply, errors, code)
    stack.provoked(code)


def test_plain_http_is_refused(nginx, errors):
    check_error(raw(nginx, get(), tls=False), errors, "bad_request")


def test_head_of_an_error_has_no_body(nginx):
    with socket.create_connection(("127.0.0.1", nginx.port), 20) as link:
        context = ssl.create_default_context(cafile=nginx.env.ca)
        with context.wrap_socket(link, server_hostname="localhost") as tls:
            tls.sendall(get("/x", method="HEAD").encode())
            received = b""
            while chunk := tls.recv(65536):
                received += chunk
    assert received.startswith(b"HTTP/1.1 404 ")
    assert received.endswith(b"\r\n\r\n")


def test_every_page_agrees_with_the_error_table(env, errors):
    text = (env.src / "nginx/errors.conf").read_text()
    pages = re.findall(
        r"location = /\.cardstock/(\d+) \{(?:.*\n)*?\treturn (\d+) '(.*)';",
        text)
    assert len(pages) == text.count("location =")
    for name, status, body in pages:
        error = json.loads(body.replace("\\'", "'"))
        assert name == status
        assert errors[error["error"]] == (error["code"], error["message"])
        assert int(status) == error["code"]
    named = {page for line in re.findall(r"error_page (.*);", text)
             for page in re.findall(r"/\.cardstock/(\d+)", line)}
    assert named == {name for name, _, _ in pages}


def test_no_worker_is_a_502(env, errors, stack, tmp_path):
    nginx = Nginx(env, tmp_path / "n", upstream=tmp_path / "none").start()
    try:
        check_error(raw(nginx, get("/v1/cards?secret=1")), errors,
                    "bad_gateway")
        stack.provoked("bad_gateway")
        assert "secret" not in nginx.error_log.read_text()
        assert "secret" not in nginx.site_log.read_text()
    finally:
        nginx.stop()


def test_a_silent_worker_is_a_504(env, errors, stack, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        nginx = Nginx(env, tmp_path / "n", upstream=path)
        server = nginx.folder / "cardstock/server.conf"
        shipped = server.read_text()
        assert "fastcgi_read_timeout 20s;" in shipped
        server.unlink()
        server.write_text(shipped.replace("fastcgi_read_timeout 20s",
                                          "fastcgi_read_timeout 1s"))
        nginx.start()
        try:
            check_error(raw(nginx, get("/v1/cards")), errors,
                        "gateway_timeout")
            stack.provoked("gateway_timeout")
        finally:
            nginx.stop()


# --- sizes -------------------------------------------------------------------


@pytest.fixture
def key(env):
    return {"Authorization": f"Bearer {env.test_key}",
            "Content-Type": "application/json"}


def padded(size):
    return b'{"amount": "' + b"x" * (size - 14) + b'"}'


def chunked(body, size=1000):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in
                    (body[at:at + size] for at in
                     range(0, len(body), size))) + b"0\r\n\r\n"


def test_body_limit_is_exact(nginx, key):
    status, _, body = nginx.request("POST", "/v1/cards", key, padded(65536))
    assert status == 400 and b'"body_too_large"' not in body, body
    status, _, body = nginx.request("POST", "/v1/cards", key, padded(65537))
    assert status == 413 and b'"body_too_large"' in body


def test_body_limit_of_a_chunked_body(nginx, errors, key):
    head = get("/v1/cards", "Transfer-Encoding: chunked",
               *(f"{name}: {value}" for name, value in key.items()),
               method="POST").encode()
    status, _, body = raw(nginx, head + chunked(padded(65536)))
    assert status == 400 and b'"body_too_large"' not in body, body
    check_error(raw(nginx, head + chunked(padded(65537))), errors,
                "body_too_large")


def test_headers_under_the_limit_pass(nginx):
    status, _, _ = raw(nginx, get("/v1/status", "X-Long: " + "a" * 7000))
    assert status == 200


# --- headers -----------------------------------------------------------------


@pytest.mark.parametrize("first, second", [
    (f"Authorization: Bearer {KEY}", f"Authorization: Bearer {KEY}"),
    ("X-Seed: c4f4-6e88-036c-761c", "x-seed: c4f4-6e88-036c-761c"),
    ("Content-Type: application/json", "Content-Type: application/json"),
    ("Idempotency-Key: a", "Idempotency-Key: a"),
    ("X-Idempotency-Key: a", "X-Idempotency-Key: b"),
    ("X-Idempotency-Key: a", "Idempotency-Key: b"),
], ids=lambda line: line.partition(":")[0])
def test_a_header_that_decides_comes_once(nginx, first, second):
    status, headers, body = raw(nginx, get(
        "/v1/cards", first, second, "Content-Length: 2", method="POST",
        body="{}"))
    error = json.loads(body)
    assert status == 400
    assert error["error"] in ("invalid_header", "bad_request")
    if error["error"] == "invalid_header":
        assert error["param"].lower() in (
            first.partition(":")[0].lower(), second.partition(":")[0].lower())
    check_headers(headers, error["request_id"])


def test_worker_replies_carry_the_headers_once(nginx, key):
    lines = [f"{name}: {value}" for name, value in key.items()]
    for target in ("/v1/status", "/v1/cards", "/v1/none"):
        _, headers, _ = raw(nginx, get(target, *lines))
        check_headers(headers)


def test_a_client_cannot_name_its_own_request_id(nginx):
    _, headers, _ = raw(nginx, get("/v1/status",
                                   "X-Request-Id: req_000000000000",
                                   "CARDSTOCK-REQUEST-ID: req_000000000000",
                                   "CARDSTOCK_REQUEST_ID: req_000000000000"))
    assert dict(headers)["x-request-id"] != "req_000000000000"


@pytest.mark.parametrize("target", [
    "/v1//cards", "/v1/./cards", "/v1/x/../cards", "/v1/%2e%2e/v1/cards",
    "/v1/cards%2Fx", "/v1/cards#x", "/v1/%ff"])
def test_a_path_has_one_reading(nginx, key, target):
    status, _, body = raw(nginx, get(
        target, *(f"{name}: {value}" for name, value in key.items())))
    assert status == 400, body
    assert json.loads(body)["error"] == "bad_request"


# --- what is logged ----------------------------------------------------------


def test_the_log_has_the_request_but_nothing_secret(nginx, key):
    token = key["Authorization"].split()[1]
    wanted = []
    for target, method in ((f"/v1/cards?label=hush&key={token}", "GET"),
                           ("/v1/none?label=hush", "DELETE"),
                           ("/x?label=hush", "PUT"),
                           ("/v1//cards?label=hush", "GET")):
        _, headers, _ = raw(nginx, get(
            target, *(f"{name}: {value}" for name, value in key.items()),
            "X-Seed: c4f4-6e88-036c-761c", method=method))
        wanted.append((dict(headers)["x-request-id"], method,
                       target.partition("?")[0]))
    for request_id, method, path in wanted:
        line = nginx.logged(request_id)
        assert f" method={method} " in line
        assert f' path="{path}" ' in line
        assert " client=127.0.0.1 " in line
        assert re.search(r" status=\d+ seconds=[\d.]+ worker_seconds=[\d.-]+ ",
                         line)
    raw(nginx, get("/v1/%zz?label=hush", f"Authorization: {token}"))
    for log in (nginx.access_log, nginx.error_log, nginx.site_log):
        text = log.read_text()
        for secret in ("hush", token, "c4f4-6e88"):
            assert secret not in text, log


def test_the_worker_logs_the_same_id(nginx, env, key):
    _, headers, _ = raw(nginx, get("/v1/cards", *(
        f"{name}: {value}" for name, value in key.items())))
    request_id = dict(headers)["x-request-id"]
    log = env.var / "log/cardstockd.log"
    wait_for("the worker's line", lambda: request_id in log.read_text())


def test_a_quote_in_the_path_cannot_forge_a_line(nginx):
    _, headers, _ = raw(nginx, get('/v1/"%0astatus=200'))
    line = nginx.logged(dict(headers)["x-request-id"])
    assert 'path="/v1/\\x22%0astatus=200"' in line


# --- the network's server ----------------------------------------------------


def test_the_network_server_wants_a_certificate(nginx, env, errors):
    target = get("/network/v1/none")
    good = (env.network_cert, env.network_cert_key)
    check_error(raw(nginx, target, port=nginx.network_port), errors,
                "bad_request")
    status, headers, body = raw(nginx, target, port=nginx.network_port,
                                certificate=good)
    assert status in (401, 404), body
    check_headers(headers)
    assert f"worker_status={status} " in nginx.logged(
        dict(headers)["x-request-id"], nginx.network_log)
    for path in ("/v1/status", "/metrics", "/"):
        check_error(raw(nginx, get(path), port=nginx.network_port,
                        certificate=good), errors, "not_found")


def test_a_stranger_s_certificate_is_refused(nginx, errors, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "1", "-subj", "/CN=stranger", "-keyout", tmp_path / "key",
         "-out", tmp_path / "cert"], check=True, capture_output=True)
    check_error(raw(nginx, get("/network/v1/none"), port=nginx.network_port,
                    certificate=(tmp_path / "cert", tmp_path / "key")),
                errors, "bad_request")


# --- rate limits -------------------------------------------------------------


class Limited:
    """An nginx whose limits are the shipped ones times a factor; without the
    one on refused credentials, which the workers count, unless asked for."""

    def __init__(self, env, folder, factor, upstream=None, refused=False,
                 without=None):
        self.refused = 0
        self.nginx = Nginx(env, folder, upstream, limit_scale=factor)
        limits = self.nginx.folder / "cardstock/limits.conf"
        text = limits.read_text()
        if not refused:
            text, count = re.subn(r'"rate=\d+r/m burst=\d+"',
                                  '"rate=0r/m burst=0"', text)
            assert count == 1
        if without:
            text, count = re.subn(
                rf"(?m)^limit_req zone=cardstock_{without} .*\n", "", text)
            assert count == 1
        limits.write_text(text)
        self.figures = {name: (int(rate), int(burst)) for name, rate, burst
                        in re.findall(
                            r"zone=cardstock_(\w+):\S+ rate=(\d+)r/m;\n"
                            r"limit_req zone=\S+ burst=(\d+) nodelay", text)}
        self.nginx.start()

    def send(self, count, target, *lines, method="GET"):
        """How many of count requests in a row are let through."""
        passed = 0
        for _ in range(count):
            status, headers, body = raw(self.nginx, get(
                target, *lines, method=method))
            if status == 429:
                error = json.loads(body)
                assert error["error"] == "rate_limited"
                check_headers(headers, error["request_id"])
                assert int(dict(headers)["retry-after"]) >= 1
                self.refused += 1
            else:
                passed += 1
        return passed


@pytest.fixture
def limited(env, stack, tmp_path):
    made = []

    def make(factor, **options):
        made.append(Limited(env, tmp_path / f"l{len(made)}", factor,
                            **options))
        return made[-1]

    yield make
    for one in made:
        one.nginx.stop()
        if one.refused:
            stack.provoked("rate_limited")


def credential(number):
    return f"Authorization: Bearer sk_test_nobody{number:016d}"


def test_the_figures_are_the_contract_s(env):
    text = (env.src / "nginx/limits.conf").read_text()
    rates = dict(re.findall(r"zone=cardstock_(\w+):\S+ rate=(\d+)r/m", text))
    bursts = dict(re.findall(r"zone=cardstock_(\w+) burst=(\d+) nodelay",
                             text))
    assert (rates["minute"], bursts["minute"]) == ("1000", "1000")
    assert (rates["hour"], bursts["hour"]) == ("167", "10000")
    assert (rates["creations"], bursts["creations"]) == ("50", "50")
    assert (rates["details"], bursts["details"]) == ("30", "30")
    assert (rates["look_ups"], bursts["look_ups"]) == ("30", "30")
    assert set(rates) == set(bursts)
    for elsewhere in (env.src / "nginx").glob("*.conf"):
        if elsewhere.name != "limits.conf":
            assert not re.search(r"(?m)^\s*limit_req(_zone)? ",
                                 elsewhere.read_text()), elsewhere


# Whoever stays under a figure passes; beyond it, the figure, one burst and what
# trickles in meanwhile.
LIMITS = [
    ("minute", "GET", "/v1/none", "0.02"),
    ("creations", "POST", "/v1/cards", "0.1"),
    ("creations", "POST", "/v1/api/cards", "0.1"),
    ("creations", "POST", "/v1/card", "0.1"),
    ("details", "GET", "/v1/cards/card_00000000000000000000/details", "0.1"),
    ("look_ups", "POST", "/v1/webhooks", "0.1"),
    ("look_ups", "PATCH", "/v1/webhooks/wh_00000000000000000000", "0.1"),
    ("look_ups", "PUT", "/v1/webhook", "0.1"),
    ("details", "GET", "/v1/cards/card_0000000000000000000%30/d%65tails",
     "0.1"),
]


@pytest.mark.parametrize("name, method, target, factor", LIMITS,
                         ids=[f"{row[0]} {row[2]}" for row in LIMITS])
def test_a_credential_s_limit(limited, name, method, target, factor):
    here = limited(factor)
    rate, burst = here.figures[name]
    began = time.monotonic()
    assert here.send(burst, target, credential(1), method=method) == burst
    passed = here.send(3 * burst, target, credential(1), method=method)
    trickled = (time.monotonic() - began) * rate / 60
    assert passed <= 1 + trickled
    # Another credential is not concerned, nor what else this one does, and
    # another way to write it is the same credential.
    assert here.send(1, target, credential(2), method=method) == 1
    if name != "minute":
        assert here.send(1, "/v1/none", credential(1)) == 1
    else:
        assert here.send(9, target, credential(1).replace(
            "Bearer ", "bearer  ")) <= 2 + trickled


def test_the_hour_s_limit(limited):
    """It is the one that counts once the minute's no longer does."""
    here = limited("0.002", without="minute")
    rate, burst = here.figures["hour"]
    assert burst == 20
    began = time.monotonic()
    assert here.send(burst, "/v1/none", credential(1)) == burst
    assert here.send(2 * burst, "/v1/none", credential(1)) <= \
        1 + (time.monotonic() - began) * rate / 60


@pytest.mark.parametrize("lines", [
    (), ("Authorization: Basic dTpw",), ("Authorization: Bearer short",),
    ("X-Seed: not-a-seed",), ("Authorization: Bearer " + "a" * 300,)],
    ids=["none", "basic", "short", "seed", "long"])
def test_what_is_no_credential_counts_by_address(limited, lines):
    here = limited("0.1")
    rate, burst = here.figures["anonymous"]
    began = time.monotonic()
    assert here.send(burst, "/v1/none", *lines) == burst
    passed = here.send(2 * burst, "/v1/status")
    assert passed <= 1 + (time.monotonic() - began) * rate / 60
    assert here.send(1, "/v1/none", credential(1)) == 1


def test_refused_credentials_count_by_address(limited, env, tmp_path):
    """nginx sees a fresh credential each time: the workers count them, all of
    a pool together."""
    pool = Pool(env, tmp_path).start()
    try:
        here = limited("0.2", upstream=pool.socket, refused=True)
        text = (here.nginx.folder / "cardstock/limits.conf").read_text()
        rate, burst = map(int, re.search(
            r'"rate=(\d+)r/m burst=(\d+)"', text).groups())
        began = time.monotonic()
        assert sum(here.send(1, "/v1/cards", credential(number))
                   for number in range(burst)) == burst
        passed = sum(here.send(1, "/v1/cards", credential(number))
                     for number in range(burst, 4 * burst))
        assert passed <= 1 + (time.monotonic() - began) * rate / 60
        # A good credential from the same address is none of that.
        assert here.send(5, "/v1/cards",
                         f"Authorization: Bearer {env.test_key}") == 5
    finally:
        pool.stop()


def test_scaling_by_zero_takes_the_limits_out(limited):
    here = limited("0")
    assert here.figures == {}
    assert here.send(200, "/v1/none") == 200


def test_scale_limits_is_strict(env):
    for wrong in ("", "x", "-1", "1.2.3", "1;id"):
        done = subprocess.run([env.src / "nginx/scale-limits", wrong],
                              input=b"rate=1r/m", capture_output=True)
        assert done.returncode == 2, wrong
        assert b"usage" in done.stderr


def blocks(env, first):
    """The page's indented block that begins with the line."""
    page = (env.src / "docs/nginx.md").read_text()
    found = re.search(rf"^    {re.escape(first)}\n(?:    .*\n)*", page, re.M)
    return re.sub("^    ", "", found[0], flags=re.M)


def test_other_rates_as_the_page_says(env, tmp_path):
    """What is packaged stays; what stands in its place is a file."""
    share, etc = tmp_path / "share/nginx", tmp_path / "etc/cardstock"
    share.mkdir(parents=True)
    etc.mkdir(parents=True)
    for name in ("limits.conf", "scale-limits"):
        shutil.copy(env.src / "nginx" / name, share / name)
    (etc / "limits.conf").symlink_to(share / "limits.conf")
    packaged = (share / "limits.conf").read_text()
    commands = blocks(env, "cd /usr/share/cardstock/nginx").replace(
        "/usr/share/cardstock/nginx", str(share)).replace(
        "/etc/nginx/cardstock", str(etc)).replace(
        "nginx -t && systemctl reload nginx\n", "")
    for _ in range(2):
        subprocess.run(["sh", "-eu", "-c", commands], check=True)
        assert (share / "limits.conf").read_text() == packaged
        assert not (etc / "limits.conf").is_symlink()
        assert "zone=cardstock_minute:20m rate=500r/m" in (
            etc / "limits.conf").read_text()


def test_metrics_of_each_pool(env, tmp_path_factory):
    """As the page says: a path a pool, for operators only."""
    location = blocks(env, "location = /metrics/1 {")
    folder = tmp_path_factory.mktemp("m")
    pools = [Pool(env, tmp_path_factory.mktemp("m"), workers=number).start()
             for number in (1, 3)]
    local = "".join(location.replace("/metrics/1", f"/metrics/{pool.workers}")
                    .replace("192.0.2.11:9000", f"unix:{pool.socket}")
                    for pool in pools)
    nginx = Nginx(env, folder / "n", upstream=pools[0].socket, local=local)
    operators = "cardstock/local-operators.conf"
    try:
        nginx.start()
        assert nginx.request("GET", "/metrics/1")[0] == 403
        nginx.stop()
        (nginx.folder / operators).write_text("allow 127.0.0.1;\n")
        nginx.start()
        for pool in pools * 2:
            status, headers, body = nginx.request(
                "GET", f"/metrics/{pool.workers}")
            assert status == 200
            assert headers["X-Request-Id"].startswith("req_")
            assert pool.workers == sum(map(int, re.findall(
                r'(?m)^cardstock_workers\{state="\w+"\} (\d+)$',
                body.decode())))
    finally:
        nginx.stop()
        for pool in pools:
            pool.stop()
