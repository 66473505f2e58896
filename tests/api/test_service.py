# SPDX-License-Identifier: Apache-2.0
"""What is answered without a credential, and methods that are not there."""

import pytest
from conftest import BIN_VISA, MISSING_CARD


def test_status(anonymous):
    reply = anonymous.get("/status")
    assert reply.status == 200
    assert reply["status"] == "ok"
    assert reply["database"] is True
    assert reply["version"]


def test_status_takes_no_parameters(anonymous):
    reply = anonymous.get("/status", verbose=1)
    assert (reply.status, reply.error) == (400, "unknown_parameter")


def test_openapi_describes_what_is_there(anonymous, stack):
    reply = anonymous.get("/openapi.json")
    assert reply.status == 200
    assert reply["openapi"].startswith("3.1")
    paths = reply["paths"]
    assert set(paths["/v1/cards"]) >= {"get", "post"}
    assert set(paths["/v1/cards/{id}"]) >= {"get", "patch", "delete"}
    for path in ("/v1/cards/{id}/freeze", "/v1/cards/{id}/unfreeze",
                 "/v1/cards/{id}/fund", "/v1/cards/{id}/withdraw",
                 "/v1/simulate/deposit", "/v1/simulate/clock"):
        assert set(paths[path]) >= {"post"}, path
    for path in ("/v1/bins", "/v1/cards/{id}/details", "/v1/wallet/balance",
                 "/v1/wallet/deposit-address", "/v1/wallet/deposits",
                 "/v1/wallet/deposits/{id}", "/v1/status",
                 "/v1/openapi.json"):
        assert set(paths[path]) >= {"get"}, path


def test_openapi_needs_a_credential_where_the_service_does(stack):
    document = stack.openapi.document
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "post", "patch", "delete"):
                continue
            open_to_all = operation.get("security",
                                        document.get("security")) == []
            assert open_to_all == (path in (
                "/v1/status", "/v1/openapi.json", "/metrics")), path


METHODS = {
    "/bins": {"GET", "HEAD"},
    "/cards": {"GET", "HEAD", "POST"},
    f"/cards/{MISSING_CARD}": {"GET", "HEAD", "PATCH", "DELETE"},
    f"/cards/{MISSING_CARD}/details": {"GET", "HEAD"},
    f"/cards/{MISSING_CARD}/freeze": {"POST"},
    f"/cards/{MISSING_CARD}/unfreeze": {"POST"},
    f"/cards/{MISSING_CARD}/fund": {"POST"},
    f"/cards/{MISSING_CARD}/withdraw": {"POST"},
    "/wallet/balance": {"GET", "HEAD"},
    "/wallet/deposit-address": {"GET", "HEAD"},
    "/wallet/deposits": {"GET", "HEAD"},
    "/simulate/deposit": {"POST"},
    "/simulate/clock": {"POST"},
    "/status": {"GET", "HEAD"},
    "/openapi.json": {"GET", "HEAD"},
}


def allowed(reply):
    return {word.strip() for word in reply.headers["Allow"].split(",")}


@pytest.mark.parametrize("path", METHODS)
def test_other_methods_are_405_with_allow(account, path):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - METHODS[path]:
        reply = account.test.call(method, path)
        assert (reply.status, reply.error) == (405, "method_not_allowed"), \
            method
        assert allowed(reply) - {"OPTIONS"} == METHODS[path]


@pytest.mark.parametrize("path", METHODS)
def test_options_tells_the_methods(anonymous, path):
    reply = anonymous.call("OPTIONS", path)
    assert reply.status == 204
    assert allowed(reply) - {"OPTIONS"} == METHODS[path]


def test_options_opens_nothing_to_other_origins(anonymous):
    reply = anonymous.call("OPTIONS", "/cards", headers={
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "POST"})
    assert not [name for name in reply.headers
                if name.lower().startswith("access-control")]


def test_head_answers_as_get_without_a_body(api, card):
    for path in ("/cards", f"/cards/{card['id']}", "/wallet/balance", "/bins",
                 "/status"):
        get, head = api.get(path), api.call("HEAD", path)
        assert head.status == get.status == 200
        assert head.raw == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert api.call("HEAD", f"/cards/{MISSING_CARD}").status == 404


@pytest.mark.parametrize("path", [
    "/", "/nothing", "/cards/",
    "/bins/491653/x", f"/cards/{MISSING_CARD}/nothing", "/v1/cards",
    "/cards/card_short", "/cards/'%20OR%201=1", "/cards/%F0%9F%92%B3"])
def test_unknown_paths_are_404(account, path):
    reply = account.test.call("GET", "/v1" + path)
    assert reply.status == 404, reply
    assert reply.error == "not_found"


@pytest.mark.parametrize("path", ["/cards/%2e%2e/bins", "/cards//details",
                                  "/cards/%2f", "/%zz", "/cards%00"])
def test_ambiguous_paths_are_refused(account, stack, path):
    """Nothing decodes them another way than nginx did."""
    reply = stack.lines([f"Authorization: Bearer {account.test.key}"],
                        method="GET", path="/v1" + path)
    assert (reply.status, reply.error) in ((400, "bad_request"),
                                           (404, "not_found")), reply


def test_a_request_id_of_the_client_is_not_taken(account):
    reply = account.test.get("/bins",
                             headers={"X-Request-Id": "req_000000000000"})
    assert reply.request_id != "req_000000000000"
    assert account.test.get("/bins").request_id != reply.request_id


def test_replies_name_the_transport_rules(anonymous):
    reply = anonymous.get("/status")
    assert "max-age=" in reply.headers["Strict-Transport-Security"]
    assert "nginx/" not in reply.headers.get("Server", "")


def test_bins(account, owner):
    # The live world: the sandbox's purchases are in its own figure.
    reply = account.client("live").get("/bins")
    assert reply.status == 200
    bins = {row["id"]: row for row in reply["data"]}
    visa, mastercard = bins["491653"], bins["531993"]
    assert visa == {
        "id": "491653", "network": "visa", "type": "advertising",
        "issuer_country": "US", "3ds": True, "apple_pay": True,
        "google_pay": True, "max_transaction": 5000, "max_monthly": 50000,
        "acceptance_rate": visa["acceptance_rate"],
        "best_for": ["meta_ads", "google_ads", "tiktok_ads"],
        **{name: visa[name] for name in visa if name == "issuing"}}
    assert mastercard["network"] == "mastercard"
    assert mastercard["type"] == "everyday"
    assert mastercard["best_for"] == ["subscriptions", "saas", "shopping"]
    text = reply.text.replace(": ", ":")
    assert '"max_transaction":5000.00' in text
    assert '"max_monthly":10000.00' in text
    for bin_id, operator in (("491653", 972), ("531993", 958)):
        seen = owner.row("SELECT COALESCE(SUM(approved), 0) AS yes, "
                         "COALESCE(SUM(declined), 0) AS no "
                         "FROM bin_authorizations "
                         "WHERE bin_id = %s AND mode = 'live'", bin_id)
        yes, total = int(seen["yes"]), int(seen["yes"] + seen["no"])
        rate = operator if total < 100 else yes * 1000 // total
        assert f'"acceptance_rate":{rate // 10}.{rate % 10}' in text


def test_bins_come_in_pages(account):
    first = account.test.get("/bins", per_page=1)
    assert len(first["data"]) == 1
    pagination = first["pagination"]
    assert pagination["page"] == pagination["per_page"] == 1
    assert pagination["total"] == pagination["total_pages"] >= 2
    second = account.test.get("/bins", per_page=1, page=2)
    by_cursor = account.test.get("/bins", per_page=1,
                                 cursor=pagination["next_cursor"])
    assert by_cursor["data"] == second["data"] != first["data"]


def test_a_stopped_bin_issues_no_new_card(api, owner):
    owner.rows(
        "INSERT INTO bins (id, network, type, issuer_country, "
        "max_transaction_cents, max_monthly_cents, acceptance_tenths, "
        "issuing, created_at) VALUES ('222100', 'mastercard', 'everyday', "
        "'DE', 100000, 200000, 950, FALSE, UTC_TIMESTAMP()) "
        "ON DUPLICATE KEY UPDATE issuing = FALSE")
    reply = api.post("/cards", {"bin_id": "222100", "amount": 10})
    assert (reply.status, reply.error, reply["param"]) == \
        (400, "bin_not_available", "bin_id")
    before = api.balance()
    reply = api.post("/cards", {"bin_id": "400000", "amount": 10})
    assert (reply.status, reply.error, reply["param"]) == \
        (400, "bin_not_found", "bin_id")
    assert api.balance() == before
    assert api.post("/cards", {"bin_id": BIN_VISA,
                               "amount": 10}).status == 201
