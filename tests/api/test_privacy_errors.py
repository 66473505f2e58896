# SPDX-License-Identifier: Apache-2.0
"""The Privacy dialect's refusals: each of its texts, who gets them, and that
routing, limits and nginx speak them too."""

import json
import re
import socket

import pytest
import requests
from conftest import Client, PrivacyClient, unique
from private import Nginx
from test_nginx import ERROR, Limited, get, nginx, raw  # noqa: F401

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "b0f0d91a-3697-46d8-85f3-20f0a585cbea"

MISSING = "Please provide API key in Authorization header"
FORM = "Please provide API key in the form Authorization: api-key [api-key]"
UNKNOWN = "Could not find API key"
INACTIVE = "API key is not active"
UNAUTHENTICATED = "User has not been authenticated"
PRIVILEGES = "Insufficient Privileges. Issuing API key required"
LIMITED = "Rate limited, too many requests per second"
NOT_FOUND = "There is no such resource."


@pytest.fixture
def privacy(account):
    return account.privacy()


def refused(reply, status, message):
    assert (reply.status, reply.message) == (status, message), reply


# --- who is asking -----------------------------------------------------------


@pytest.mark.parametrize("write", [
    "api-key {}", "{}", "API-KEY {}", "Api-Key   {}", "api-key {} "],
    ids=["api-key", "bare", "capitals", "spaces", "space behind"])
def test_a_key_in_each_form(account, write):
    key = account.privacy().key
    reply = Client(account.stack).get(
        "/accounts", headers={"Authorization": write.format(key)})
    assert reply.status == 200, reply


@pytest.mark.parametrize("value, message", [
    ("", MISSING), ("api-key", FORM), ("api-key ", FORM), ("API-KEY", FORM),
    ("api-key " + NOBODY, UNKNOWN), (NOBODY, UNKNOWN), ("api-key a b", UNKNOWN),
    ("api-keyish", UNKNOWN)])
def test_credentials_that_are_none(anonymous, value, message):
    reply = anonymous.get("/accounts", headers={"Authorization": value})
    refused(reply, 401, message)
    assert reply.headers["WWW-Authenticate"] == "api-key"


def test_no_credential_on_a_path_of_this_dialect(anonymous, stack):
    for path in ("/accounts", "/accounts/", "/funding_sources",
                 "/fundingsource/bank"):
        refused(anonymous.get(path), 401, MISSING)
    reply = anonymous.get("/cards")
    assert reply.error == "credentials_missing", reply


@pytest.mark.parametrize("scheme", ["Basic dTpw", "Basic", "Digest", "Token x",
                                    "Bearer", "Bearer x"])
def test_other_schemes_are_native(anonymous, scheme):
    reply = anonymous.get("/accounts", headers={"Authorization": scheme})
    assert reply.error == "credentials_invalid", reply


def test_keys_of_the_other_family(account):
    native, privacy = account.test.key, account.privacy().key
    for scheme in ("api-key ", ""):
        refused(PrivacyClient(account.stack, native, scheme).get("/cards"),
                401, UNKNOWN)
    reply = Client(account.stack, privacy).get("/cards")
    assert (reply.status, reply.error) == (401, "credentials_invalid")


def test_two_kinds_of_credential(privacy):
    refused(privacy.get("/accounts", headers={"X-Seed": "c4f4-6e88-036c-761c"}),
            401, UNAUTHENTICATED)


def test_keys_that_ended(account, admin):
    revoked = account.issue(dialect="privacy")
    admin.call("admin_key_revoke", revoked["key_id"])
    refused(PrivacyClient(account.stack, revoked["api_key"]).get("/accounts"),
            401, INACTIVE)
    ended = account.issue(dialect="privacy")
    admin.call("admin_key_expire", ended["key_id"], "2020-01-01 00:00:00")
    refused(PrivacyClient(account.stack, ended["api_key"]).get("/accounts"),
            401, INACTIVE)


def test_accounts_and_addresses_that_may_not(account, admin):
    elsewhere = account.privacy(networks="192.0.2.0/24")
    refused(elsewhere.get("/accounts"), 401, UNAUTHENTICATED)
    fresh = account.privacy()
    account.suspend()
    refused(fresh.get("/accounts"), 401, UNAUTHENTICATED)
    account.reactivate()


def test_rights_that_are_missing(account):
    reader, writer = account.privacy(scopes="read"), \
        account.privacy(scopes="write")
    assert reader.get("/accounts").status == 200
    refused(reader.post("/funding_sources", {}), 401, PRIVILEGES)
    refused(reader.patch(f"/accounts/{NOBODY}", {}), 401, PRIVILEGES)
    refused(writer.get("/accounts"), 401, PRIVILEGES)


# --- routing -----------------------------------------------------------------


def test_paths_that_are_not(privacy):
    for path in ("/none", "/wallet/balance", "/bins", "/3ds",
                 "/cards/x/details", "/accounts/a/b"):
        refused(privacy.get(path), 404, NOT_FOUND)
    refused(privacy.get("/accounts//"), 400, "The request is malformed.")


def test_methods_that_are_not(privacy):
    for method, path, allowed in (
            ("DELETE", "/accounts", "GET, HEAD, OPTIONS"),
            ("POST", "/accounts/x/", "GET, HEAD, PATCH, OPTIONS"),
            ("PUT", "/status", "GET, HEAD, OPTIONS")):
        reply = privacy.call(method, path)
        refused(reply, 405, "The resource does not support this method.")
        assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/accounts", "/status", "/funding_sources",
                                  "/fundingsource", "/fundingsource/bank"])
def test_a_trailing_slash_is_nothing(privacy, path):
    with_slash, without = privacy.get(path + "/"), privacy.get(path)
    assert (with_slash.status, with_slash.body) == (200, without.body)


def test_the_native_dialect_minds_its_slashes(account):
    assert account.test.get("/cards/").status == 404


def test_tokens_that_are_nobody_s(privacy):
    for token in (NOBODY, NOBODY.upper(), "acct_00000000000000000000",
                  "x" * 64, "%C3%A9"):
        refused(privacy.get(f"/accounts/{token}"), 404, NOT_FOUND)
        refused(privacy.patch(f"/accounts/{token}", {}), 404, NOT_FOUND)
        refused(privacy.patch(f"/funding_sources/{token}", {}), 404, NOT_FOUND)


def test_head_and_options(privacy, anonymous):
    assert privacy.call("HEAD", "/accounts/").status == 200
    for client in (privacy, anonymous):
        reply = client.call("OPTIONS", "/accounts")
        assert (reply.status, reply.headers["Allow"]) == (
            204, "GET, HEAD, OPTIONS")


def test_the_sandbox_is_not_for_live_keys(account):
    body = {"descriptor": "SHOP", "amount": 100, "pan": "4916530000000006"}
    refused(account.privacy("live").post("/simulate/authorize", body), 403,
            "This endpoint works with test keys only.")
    reply = account.privacy().post("/simulate/authorize", body)
    assert reply.status in (404, 422), reply


def test_each_dialect_s_routes_are_counted(account, privacy, env):
    privacy.get("/status")
    account.test.get("/cards")
    reply = requests.get(env.origin + "/metrics", verify=env.ca, timeout=10)
    for route in ("privacy GET /v1/status", "GET /v1/cards", "other"):
        assert f'route="{route}"' in reply.text


# --- parameters --------------------------------------------------------------


@pytest.mark.parametrize("query, message", [
    ("foo=1", "foo is not a valid parameter"),
    ("Page=1", "Page is not a valid parameter"),
    ("per_page=1", "per_page is not a valid parameter"),
    ("page=0", "page is not a valid parameter: must be an integer from 1 to"
               " 1000000000"),
    ("page=x", "page is not a valid parameter: must be an integer from 1 to"
               " 1000000000"),
    ("page_size=1001", "page_size is not a valid parameter: must be an integer"
                       " from 1 to 1000"),
    ("page_size=0", "page_size is not a valid parameter: must be an integer"
                    " from 1 to 1000"),
    ("page=1&page=1", "page is not a valid parameter: is given more than once"),
    ("begin=2026-02-30", "begin is not a valid parameter: must be a date or a"
                         " date-time of RFC 3339"),
    ("end=yesterday", "end is not a valid parameter: must be a date or a"
                      " date-time of RFC 3339"),
    ("starting_after=x", "starting_after is not a valid parameter: must be at"
                         " least 36 characters"),
    ("starting_after=" + "x" * 36,
     "starting_after is not a valid parameter: must be a UUID"),
    (f"starting_after={NOBODY}",
     "starting_after is not a valid parameter: is not in this list"),
    (f"page=1&starting_after={NOBODY}",
     "starting_after is not a valid parameter: does not go with page"),
    (f"page=1&ending_before={NOBODY}",
     "ending_before is not a valid parameter: goes neither with page nor with"
     " starting_after"),
    (f"starting_after={NOBODY}&ending_before={NOBODY}",
     "ending_before is not a valid parameter: goes neither with page nor with"
     " starting_after")])
def test_a_query_s_parameters(privacy, query, message):
    for path in ("/accounts", "/funding_sources"):
        refused(privacy.get(f"{path}?{query}"), 400, message)


@pytest.mark.parametrize("body, message", [
    ('{"foo": 1}', "foo is not a valid parameter"),
    ('{"a": {"b": 1}}', "a is not a valid parameter"),
    ('{"state": 1}', "state is not a valid parameter: must be one of ENABLED,"
                     " DELETED, PENDING"),
    ('{"state": "open"}', "state is not a valid parameter: must be one of"
                          " ENABLED, DELETED, PENDING"),
    ('{"nickname": 7}', "nickname is not a valid parameter: must be a string"),
    (json.dumps({"nickname": "x" * 65}),
     "nickname is not a valid parameter: must be at most 64 characters"),
    (json.dumps({"nickname": "a\nb"}), "nickname is not a valid parameter:"
                                       " must not contain control characters"),
    ('[]', "The body must be one JSON object."),
    ('nickname=x', None), ('{', None), ('{"nickname": "a", "nickname": "b"}',
                                        None)])
def test_a_body_s_parameters(account, body, message):
    privacy = account.privacy()
    token = privacy.get("/funding_sources")["data"][0]["token"]
    reply = privacy.patch(f"/funding_sources/{token}", body=body)
    assert reply.status == 400
    assert message in (None, reply.message), reply


def test_a_name_that_is_long_is_cut(privacy):
    reply = privacy.get("/accounts?" + "n" * 5000 + "=1")
    refused(reply, 400, "n" * 80 + " is not a valid parameter")


# --- what clients leave out, and say wrongly ---------------------------------


@pytest.mark.parametrize("content_type", [
    None, "text/plain", "application/x-www-form-urlencoded", "*/*",
    "application/json; charset=utf-8"])
def test_a_body_is_json_whatever_its_type(account, content_type):
    privacy = account.privacy()
    token = privacy.get("/funding_sources")["data"][0]["token"]
    lines = [f"Authorization: api-key {privacy.key}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    reply = account.stack.lines(
        lines, b'{"nickname": "Mine"}', method="PATCH",
        path=f"/v1/funding_sources/{token}")
    assert (reply.status, reply["nickname"]) == (200, "Mine"), reply
    assert account.test.patch("/cards/x", body="{}", headers={
        "Content-Type": content_type or "text/plain"}).status in (404, 415)


def test_an_empty_body_is_an_empty_object(account):
    privacy = account.privacy()
    token = privacy.get("/accounts")["data"][0]["token"]
    reply = account.stack.lines([f"Authorization: {privacy.key}"],
                                method="PATCH", path=f"/v1/accounts/{token}")
    assert (reply.status, reply["token"]) == (200, token)


def test_a_header_that_comes_twice(privacy, stack):
    reply = stack.lines([f"Authorization: api-key {privacy.key}",
                         f"Authorization: api-key {privacy.key}"],
                        method="GET", path="/v1/accounts", check=False)
    assert reply.status == 400
    assert set(reply.body) == {"debugging_request_id", "message"}


def test_the_content_type_is_exact(privacy):
    for reply in (privacy.get("/accounts"), privacy.get("/none")):
        assert reply.headers["Content-Type"] == "application/json"


# --- idempotency -------------------------------------------------------------


def test_idempotency_works_here_too(account):
    privacy, key = account.privacy(), unique()
    token = privacy.get("/funding_sources")["data"][0]["token"]
    path = f"/funding_sources/{token}"
    first = privacy.patch(path, {"nickname": "One"}, idempotency=key)
    privacy.patch(path, {"nickname": "Two"})
    again = privacy.patch(path, {"nickname": "One"}, idempotency=key)
    assert again.replayed and again.raw == first.raw
    assert privacy.get("/funding_sources")["data"][0]["nickname"] == "Two"
    refused(privacy.patch(path, {"nickname": "Three"}, idempotency=key), 422,
            "This idempotency key was used with a different request.")


# --- nginx -------------------------------------------------------------------


def bodies(env):
    """What nginx says in this dialect, by status, and its location's name."""
    text = (env.src / "nginx/errors.conf").read_text()
    return {int(status): (name, body.replace("\\'", "'"))
            for name, status, body in re.findall(
                r"location = /\.cardstock/(\d+) \{[^}]*?"
                r"if \(\$cardstock_privacy\) \{\s*return (\d+) '(.*)';", text)}


def test_every_page_of_nginx_has_the_dialect_s_words(env):
    sentences = {int(status): sentence for code, status, sentence in
                 ERROR.findall((env.src / "src/base/error.def").read_text())
                 if code in ("bad_request", "forbidden", "not_found",
                             "method_not_allowed", "body_too_large",
                             "uri_too_long", "headers_too_large",
                             "internal_error", "bad_gateway",
                             "service_unavailable", "gateway_timeout")}
    sentences[429] = LIMITED
    shown = bodies(env)
    native = (env.src / "nginx/errors.conf").read_text().count("location =")
    assert len(shown) == native
    assert set(shown) == set(sentences)
    for status, (name, body) in shown.items():
        error = json.loads(body)
        assert int(name) == status
        assert list(error) == ["debugging_request_id", "message"]
        assert error["message"] == sentences[status]


def check(reply, status, message, headers=()):
    got, fields, body = reply
    error = json.loads(body)
    assert (got, error["message"]) == (status, message)
    assert set(error) == {"debugging_request_id", "message"}
    assert re.fullmatch(UUID, error["debugging_request_id"])
    fields = dict(fields)
    assert error["debugging_request_id"].replace("-", "")[:12] == \
        fields["x-request-id"][len("req_"):]
    assert fields["content-type"] == "application/json"
    assert fields["cache-control"] == "no-store"
    for name in headers:
        assert fields[name]


API_KEY = "Authorization: api-key " + NOBODY


@pytest.mark.parametrize("line", [API_KEY, f"Authorization: {NOBODY}",
                                  "authorization: API-KEY x",
                                  "Authorization: api-key"])
def test_nginx_own_errors(nginx, line):  # noqa: F811
    check(raw(nginx, get("/elsewhere", line)), 404, NOT_FOUND)
    check(raw(nginx, get("/v1.json", line)), 404, NOT_FOUND)
    check(raw(nginx, get("/metrics", line)), 403,
          "This address may not see this page.")
    check(raw(nginx, get("/v1/cards", line, "Content-Length: 65537",
                         method="POST")), 413,
          "The body is larger than 64 KiB.")


@pytest.mark.parametrize("line", [
    "Authorization: Bearer " + NOBODY, "Authorization: Basic dTpw",
    "Authorization: Basic", "X-Seed: c4f4-6e88-036c-761c", "X-None: 1"])
def test_nginx_speaks_native_to_all_others(nginx, line):  # noqa: F811
    _, _, body = raw(nginx, get("/elsewhere", line))
    assert json.loads(body)["error"] == "not_found"


def test_the_workers_ids_are_nginx_s(nginx):  # noqa: F811
    """Whatever the random digits are: both sides write the same UUIDs."""
    for _ in range(40):
        check(raw(nginx, get("/v1/none", API_KEY)), 401, UNKNOWN)
        check(raw(nginx, get("/none", API_KEY)), 404, NOT_FOUND)


def sample(path):
    return re.sub(r"\{[^}]*\}", NOBODY, path)


def test_nginx_knows_the_paths_of_the_dialect(stack, env):
    text = (env.src / "nginx/cardstock.conf").read_text()
    patterns = [re.compile(pattern) for pattern in
                re.findall(r'"~\^1none (/.*)" 1;', text)]
    ours = set(stack.documents["privacy"].document["paths"])
    native = set(stack.documents["native"].document["paths"])
    assert patterns
    for path in ours - native:
        if any(re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", other), sample(path))
               for other in native):
            continue
        for text in (sample(path), sample(path) + "/"):
            assert any(p.match(text) for p in patterns), path
    for path in native:
        assert not any(p.match(sample(path)) for p in patterns), path


def test_no_credential_at_nginx_either(nginx):  # noqa: F811
    check(raw(nginx, get("/v1/accounts", "Content-Length: 65537",
                         method="POST")), 413,
          "The body is larger than 64 KiB.")
    _, _, body = raw(nginx, get("/v1/cards", "Content-Length: 65537",
                                method="POST"))
    assert json.loads(body)["error"] == "body_too_large"


def test_the_network_s_server_speaks_native(nginx, env):  # noqa: F811
    for target in ("/elsewhere", "/v1/accounts", "/network/v1/none"):
        _, _, body = raw(nginx, get(target, API_KEY), port=nginx.network_port,
                         certificate=(env.network_cert, env.network_cert_key))
        assert json.loads(body)["error"] == "not_found", target


def test_no_worker_and_a_silent_one(env, tmp_path):
    nginx = Nginx(env, tmp_path / "n",  # noqa: F811
                  upstream=tmp_path / "none").start()
    try:
        check(raw(nginx, get("/v1/cards", API_KEY)), 502,
              "The service is restarting; try again.", ["retry-after"])
    finally:
        nginx.stop()
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        nginx = Nginx(env, tmp_path / "m", upstream=path)
        server = nginx.folder / "cardstock/server.conf"
        shipped = server.read_text()
        server.unlink()
        server.write_text(shipped.replace("fastcgi_read_timeout 20s",
                                          "fastcgi_read_timeout 1s"))
        nginx.start()
        try:
            got = raw(nginx, get("/v1/cards", API_KEY))
            check(got, 504, "The service did not answer in time; repeat the"
                            " request with its idempotency key.")
        finally:
            nginx.stop()


def test_limits(env, tmp_path):
    """nginx's, by credential; the workers', on credentials refused."""
    for name, line in (("a", API_KEY), ("b", f"Authorization: {NOBODY}")):
        here = Limited(env, tmp_path / name, "0.02")
        try:
            burst = here.figures["minute"][1]
            for _ in range(burst):
                assert raw(here.nginx, get("/v1/none", line))[0] == 401
            for _ in range(3):
                reply = raw(here.nginx, get("/v1/none", line))
            check(reply, 429, LIMITED, ["retry-after"])
        finally:
            here.nginx.stop()


def test_guesses_are_limited(env, tmp_path):
    from private import Pool
    pool = Pool(env, tmp_path).start()
    here = Limited(env, tmp_path / "n", "0.2", upstream=pool.socket,
                   refused=True)
    try:
        replies = [raw(here.nginx, get(
            "/v1/accounts", f"Authorization: api-key {NOBODY[:-3]}{n:03}"))
            for n in range(30)]
        assert replies[0][0] == 401
        check(replies[-1], 429, LIMITED, ["retry-after"])
    finally:
        here.nginx.stop()
        pool.stop()
