# SPDX-License-Identifier: Apache-2.0
"""The mapping between the dialects as docs/privacy.md tells it, written once
more: what a transaction of one must look like in the other."""

COUNTRIES = {"US": "USA", "DE": "DEU", "FR": "FRA", "GB": "GBR", "CA": "CAN",
             "KP": "PRK", "IR": "IRN", "CU": "CUB", "NL": "NLD", "JP": "JPN",
             "RU": "RUS", "SY": "SYR", "IT": "ITA",
             "ZZ": "ZZ"}  # nobody's: as it is
RESULTS = {
    None: "APPROVED",
    "card_unknown": "INVALID_CARD_DETAILS",
    "card_expired": "INVALID_CARD_DETAILS",
    "expiry_mismatch": "INVALID_CARD_DETAILS",
    "cvv_mismatch": "INVALID_CARD_DETAILS",
    "account_suspended": "INACTIVE_ACCOUNT",
    "card_pending": "CARD_PAUSED",
    "card_terminated": "CARD_CLOSED",
    "card_frozen": "CARD_PAUSED",
    "single_use_spent": "SINGLE_USE_RECHARGED",
    "merchant_locked": "UNAUTHORIZED_MERCHANT",
    "category_not_allowed": "UNAUTHORIZED_MERCHANT",
    "country_not_allowed": "MERCHANT_BLACKLIST",
    "currency_not_supported": "UNAUTHORIZED_MERCHANT",
    "transaction_limit": "USER_TRANSACTION_LIMIT",
    "bin_transaction_limit": "GLOBAL_TRANSACTION_LIMIT",
    "daily_limit": "USER_TRANSACTION_LIMIT",
    "weekly_limit": "USER_TRANSACTION_LIMIT",
    "monthly_limit": "USER_TRANSACTION_LIMIT",
    "yearly_limit": "USER_TRANSACTION_LIMIT",
    "lifetime_limit": "USER_TRANSACTION_LIMIT",
    "bin_monthly_limit": "GLOBAL_MONTHLY_LIMIT",
    "count_limit": "USER_TRANSACTION_LIMIT",
    "insufficient_funds": "INSUFFICIENT_FUNDS"}
EVENTS = {
    "authorization": "AUTHORIZATION", "increment": "AUTHORIZATION",
    "advice": "AUTHORIZATION_ADVICE", "clearing": "CLEARING",
    "force_post": "CLEARING", "reversal": "VOID", "expiry": "VOID",
    "release": "VOID", "refund_reversal": "VOID", "refund": "RETURN"}
STATUSES = {
    "pending": "PENDING", "settled": "SETTLED", "refunded": "SETTLED",
    "voided": "VOIDED", "declined": "DECLINED", "expired": "EXPIRED"}
FIELDS = ["token", "card_token", "card", "amount", "authorization_amount",
          "merchant_amount", "merchant_authorization_amount",
          "merchant_currency", "acquirer_fee", "authorization_code",
          "created", "settled_amount", "status", "result", "merchant",
          "funding", "events"]


def cents(dollars):
    number = dollars * 100
    assert number == int(number), dollars
    return int(number)


def expected(native):
    """What a native transaction, as its GET shows it, is there."""
    timeline = native["timeline"]
    refund = native["type"] == "refund"
    first = timeline[0]
    authorized = cents(first["amount"]) \
        if first["type"] == "authorization" else 0
    amount = -cents(native["amount"])
    foreign = native["merchant_currency"] is not None
    status = STATUSES[native["status"]]
    if status == "PENDING" and native["cleared"] > 0:
        status = "SETTLING"
    if refund:
        settled = 0 if native["status"] == "voided" else amount
    else:
        settled = cents(native["cleared"])
    merchant = native["merchant"]
    country = merchant["country"]
    found = {
        "amount": amount, "authorization_amount": authorized,
        "settled_amount": settled, "acquirer_fee": 0, "status": status,
        "result": RESULTS[native["decline_reason"]],
        "created": native["created_at"],
        "authorization_code": native["authorization_code"],
        "merchant_amount": cents(native["merchant_amount"])
        if foreign else amount,
        "merchant_currency": native["merchant_currency"] or "USD",
        "merchant": {
            "acceptor_id": merchant["id"] or "", "city": merchant["city"] or
            "", "country": COUNTRIES[country] if country else "",
            "descriptor": merchant["name"] or "", "mcc": merchant["mcc"] or
            "", "state": ""},
        "events": [
            {"type": EVENTS[row["type"]], "created": row["created_at"],
             "amount": cents(row["amount"]) *
             (-1 if row["type"] == "refund" else 1),
             "result": RESULTS[row["decline_reason"]]} for row in timeline]}
    if not foreign:
        found["merchant_authorization_amount"] = authorized
    return found


def same(native, shown):
    """The two agree to the cent."""
    assert list(shown) == FIELDS, shown
    wanted = expected(native)
    found = {name: shown[name] for name in wanted}
    tokens = [row["token"] for row in shown["events"]]
    assert len(set(tokens)) == len(tokens), shown
    found["events"] = [{name: row[name] for name in row if name != "token"}
                       for row in shown["events"]]
    assert found == wanted, (native, shown)
    drawn = 0 if native["decline_reason"] else wanted["amount"]
    assert shown["funding"] == [{
        "amount": drawn, "token": shown["card"]["funding"]["token"],
        "type": "DEPOSITORY_CHECKING"}], shown
    assert shown["card"]["token"] == shown["card_token"], shown
    assert "pan" not in shown["card"] and "cvv" not in shown["card"], shown


def agree(account):
    """All transactions of the test world, read in both dialects: as many, in
    the same order, and the same to the cent. Returns how many."""
    native, privacy = account.test, account.privacy()
    ids, page = [], 1
    while True:
        reply = native.get("/transactions", per_page=100, page=page)
        assert reply.status == 200, reply
        ids += [row["id"] for row in reply["data"]]
        if len(ids) >= reply["pagination"]["total"]:
            break
        page += 1
    listed = privacy.get("/transactions", page_size=1000)
    assert listed.status == 200, listed
    assert listed["total_entries"] == len(listed["data"]) == len(ids)
    for number, shown in enumerate(listed["data"]):
        one = native.get(f"/transactions/{ids[number]}")
        assert one.status == 200, one
        same(one.body, shown)
        assert privacy.get(f"/transactions/{shown['token']}").body == shown
    return len(ids)
