# SPDX-License-Identifier: Apache-2.0
"""What a body may look like, down to its bytes."""

import pytest
from conftest import BIN_VISA


def fund(api, card, body, **headers):
    return api.call("POST", f"/cards/{card['id']}/fund", body=body,
                    headers=headers)


@pytest.mark.parametrize("number, cents", [
    (b"5", 500), (b"5.0", 500), (b"5.00", 500), (b"5.000000", 500),
    (b"5e0", 500), (b"5e2", 50000), (b"5E+2", 50000), (b"0.5e1", 500),
    (b"500e-2", 500), (b"1.5", 150), (b"1.05", 105), (b"9.99", 999),
    (b"1.10", 110), (b"1.1", 110), (b"5000.00", 500000),
    (b"0.0000001e9", 10000), (b"1e00", 100), (b"4.35", 435), (b"2.675e3",
                                                              267500)])
def test_money_that_is_taken(api, card, number, cents):
    reply = fund(api, card, b'{"amount":' + number + b"}")
    assert reply.status == 200, reply
    assert reply["funded_amount"] * 100 == cents
    assert f'"funded_amount":{cents // 100}.{cents % 100:02}' in \
        reply.text.replace(": ", ":")


@pytest.mark.parametrize("number, errors", [
    (b"1.005", {"invalid_parameter"}),
    (b"5.001", {"invalid_parameter"}),
    (b"4999.9999999999999999", {"invalid_parameter"}),
    (b"5e-3", {"invalid_parameter"}),
    (b'"5"', {"invalid_parameter"}),
    (b'"5.00"', {"invalid_parameter"}),
    (b'""', {"invalid_parameter"}),
    (b"true", {"invalid_parameter"}),
    (b"null", {"invalid_parameter"}),
    (b"{}", {"invalid_parameter"}),
    (b"[]", {"invalid_parameter"}),
    (b"1e400", {"invalid_parameter", "amount_too_large"}),
    (b"1e99999999999999999999", {"invalid_parameter", "amount_too_large"}),
    (b"1e-400", {"invalid_parameter", "amount_too_small"}),
    (b"99999999999999999999999", {"invalid_parameter", "amount_too_large"}),
    (b"9223372036854775808", {"invalid_parameter", "amount_too_large"}),
    (b"92233720368547758.08", {"invalid_parameter", "amount_too_large"}),
    (b"184467440737095517.16", {"invalid_parameter", "amount_too_large"}),
    (b"-1", {"amount_too_small"}),
    (b"-1e400", {"invalid_parameter", "amount_too_small"}),
    (b"0", {"amount_too_small"}),
    (b"-0", {"amount_too_small"}),
    (b"0e5", {"amount_too_small"})])
def test_money_that_is_refused(api, card, number, errors):
    reply = fund(api, card, b'{"amount":' + number + b"}")
    assert reply.status == 400, reply
    assert reply.error in errors, reply
    assert reply["param"] == "amount"
    assert api.get(f"/cards/{card['id']}")["balance"] == 100


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"}", b"[]", b"5", b'"x"', b"null", b"true",
    b'{"amount":5', b'{"amount":5}}', b'{"amount":5} {}', b'{"amount":5}x',
    b'{"amount":5}\0', b'{"amount":5,}', b"{'amount':5}", b"{amount:5}",
    b'{"amount":05}', b'{"amount":+5}', b'{"amount":.5}', b'{"amount":5.}',
    b'{"amount":0x5}', b'{"amount":NaN}', b'{"amount":Infinity}',
    b'{"amount":-Infinity}', b'{"amount":5e}', b'{"amount":1 2}',
    b'{"amount":5}//', b'{"amount":5,"amount":5}',
    b'{"amount":5,"amo\\u0075nt":6}', b'{"amount":5,"x":"\xff"}',
    b'{"amount":5,"x":"\xc3("}', b'{"amount":5,"x":"\xed\xa0\x80"}',
    b'{"amount":5,"x":"\\ud800"}', b'{"amount":5,"x":"\\u0000"}',
    b'{"amount":5,"\xc0\xaf":1}', b'{"amount":5,"x":"a\nb"}',
    b"\xef\xbb\xbf{\"amount\":5}", b'\xff\xfe{\0"\0', b"amount=5",
    b"[" * 5000, b'{"a":' * 5000])
def test_bodies_that_are_no_json_object(api, card, body):
    before = api.wallet()
    reply = fund(api, card, body)
    assert reply.status == 400, reply
    assert reply.error in ("invalid_json", "missing_parameter",
                           "unknown_parameter"), reply
    if body.strip() == b"":
        assert (reply.error, reply.body.get("param")) in (
            ("missing_parameter", "amount"), ("invalid_json", None))
    assert api.wallet() == before


def test_a_duplicate_key_is_named(api, card):
    reply = fund(api, card, b'{"amount":5,"amount":6}')
    assert reply.error == "invalid_json"


def test_white_space_is_no_matter(api, card):
    assert fund(api, card, b' {\r\n\t"amount" : 5 }\n ').status == 200


def test_escapes_are_the_same_name(api, card):
    assert fund(api, card, b'{"\\u0061mount":5}').status == 200


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8",
    "APPLICATION/JSON", 'application/json;charset="UTF-8"'])
def test_content_types_that_are_taken(api, card, content_type):
    reply = fund(api, card, b'{"amount":5}', **{"Content-Type": content_type})
    assert reply.status == 200, reply


@pytest.mark.parametrize("content_type", [
    "text/plain", "application/x-www-form-urlencoded", "application/jsonp",
    "multipart/form-data; boundary=x", "json", "application/xml",
    "text/json", "x application/json"])
def test_content_types_that_are_refused(api, card, content_type):
    reply = fund(api, card, b'{"amount":5}', **{"Content-Type": content_type})
    assert (reply.status, reply.error) == (415, "unsupported_media_type")


def test_a_body_without_a_content_type(api, card, stack):
    """It says nothing against JSON, so it is taken for it."""
    path = f"/v1/cards/{card['id']}/fund"
    reply = stack.lines([f"Authorization: Bearer {api.key}"],
                        b'{"amount":5}', path=path)
    assert reply.status == 200
    reply = stack.lines([f"Authorization: Bearer {api.key}"], b"",
                        path=f"/v1/cards/{card['id']}/freeze")
    assert reply.status == 200


@pytest.mark.parametrize("name, value", [
    ("Content-Type", "application/json"), ("X-Idempotency-Key", "abc"),
    ("Idempotency-Key", "abc")])
def test_a_header_that_decides_is_sent_once(api, card, stack, name, value):
    lines = [f"Authorization: Bearer {api.key}",
             "Content-Type: application/json"]
    if name == "Content-Type":
        lines.append(f"{name}: {value}")
    else:
        lines += [f"{name}: {value}"] * 2
    before = api.wallet()
    reply = stack.lines(lines, b'{"amount":5}',
                        path=f"/v1/cards/{card['id']}/fund")
    assert reply.status == 400, reply
    assert reply.error in ("invalid_header", "bad_request")
    assert api.wallet() == before


def padded(size):
    """A body of so many bytes."""
    body = b'{"amount":5}'
    return body + b" " * (size - len(body))


def test_bodies_up_to_64_kib(api, card):
    assert fund(api, card, padded(65536)).status == 200
    for size in (65537, 70000, 1 << 20):
        reply = fund(api, card, padded(size))
        assert (reply.status, reply.error) == (413, "body_too_large"), size
    assert api.get(f"/cards/{card['id']}")["balance"] == 105


def test_a_chunked_body(api, card, stack):
    body = b'{"amount":5}'
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    reply = stack.raw(
        f"POST /v1/cards/{card['id']}/fund HTTP/1.1\r\nHost: localhost\r\n"
        f"Connection: close\r\nAuthorization: Bearer {api.key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        "\r\n".encode() + chunked)
    assert reply.status == 200, reply


def test_a_get_takes_no_body(account):
    reply = account.test.call("GET", "/cards", body=b'{"page": 2}')
    assert reply.status in (200, 400)


def test_wrong_bodies_are_refused_before_missing_cards(api):
    reply = api.post("/cards/card_00000000000000000000/fund", {"amount": "5"})
    assert reply.status == 400


def test_one_bad_field_spoils_all(api):
    before = api.wallet()
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 5,
                                "label": "fine", "metadata": {"k": []}})
    assert reply.status == 400
    assert api.wallet() == before


NOT_ASCII = "\u00e9\U0001f4b3"


def test_names_beyond_ascii_name_nothing(api, card):
    """Ids and codes are ASCII in the database; what is not is no fault of
    the server's."""
    for method, path, body in (
            ("GET", f"/cards/{NOT_ASCII}", None),
            ("PATCH", f"/cards/{NOT_ASCII}", {"label": "x"}),
            ("DELETE", f"/cards/{NOT_ASCII}", None),
            ("GET", f"/cards/{NOT_ASCII}/details", None),
            ("POST", f"/cards/{NOT_ASCII}/freeze", None),
            ("POST", f"/cards/{NOT_ASCII}/unfreeze", None),
            ("POST", f"/cards/{NOT_ASCII}/fund", {"amount": 1}),
            ("POST", f"/cards/{NOT_ASCII}/withdraw", {"amount": 1}),
            ("GET", f"/wallet/deposits/{NOT_ASCII}", None),
            ("POST", "/simulate/deposit", {"deposit_id": NOT_ASCII})):
        reply = api.call(method, path, body)
        assert reply.status in (404, 400), (method, path, reply)


@pytest.mark.parametrize("path, name", [
    ("/cards", "bin_id"), ("/wallet/deposits", "currency"),
    ("/wallet/deposit-address", "currency")])
def test_filters_beyond_ascii_find_nothing(api, path, name):
    reply = api.get(path, **{name: NOT_ASCII})
    assert reply.status == 400 or reply["data"] == []


@pytest.mark.parametrize("path, body, name", [
    ("/cards", {"amount": 1}, "bin_id"),
    ("/simulate/deposit", {"amount_usd": 5}, "currency"),
    ("/simulate/deposit", {"amount_crypto": 5}, "currency")])
def test_fields_beyond_ascii_are_refused(api, path, body, name):
    reply = api.post(path, {**body, name: NOT_ASCII})
    assert reply.status == 400, reply
    assert reply["param"] == name


def test_a_category_beyond_ascii(api):
    reply = api.post("/cards", {"bin_id": BIN_VISA, "amount": 1,
                                "allowed_categories": [NOT_ASCII]})
    assert (reply.status, reply.error) == (400, "unknown_category")
