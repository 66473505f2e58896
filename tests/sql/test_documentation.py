# SPDX-License-Identifier: Apache-2.0
"""The statements of docs/administration.md do what the page says they do."""

import re

from conftest import query
from server import SRC


def test_statements_of_the_page(world):
    page = (SRC / "docs/administration.md").read_text()
    statements = [s.strip() for block in re.findall(r"```sql\n(.*?)```", page, re.S)
                  for s in re.sub(r"--.*", "", block).split(";") if s.strip()]
    assert len(statements) > 40
    # The README has the first ten, word for word.
    ten = re.search(r"```sql\n.*?```", page, re.S)[0]
    assert ten in (SRC / "README.md").read_text()
    key = query(world.admin, "CALL admin_key_issue(%s, 'test', NULL, 'read',"
                " NULL, NULL, NULL)", world.account)[0]["key_id"]
    card = world.card(last4="2039")
    webhook = f"wh_{card[5:]}"
    world.call("webhook_create", webhook, "https://example.com/", "", "*",
               b"sealed")
    known = {"acct_": world.account, "key_": key, "card_": card,
             "wh_": webhook}
    categories = query(world.owner, "SELECT * FROM mcc_categories")
    for statement in statements:
        query(world.admin, "CALL admin_account_reactivate(%s)", world.account)
        query(world.admin, re.sub(
            r"'(acct_|key_|card_|wh_)[0-9A-Za-z]{20}'",
            lambda found: f"'{known[found[1]]}'", statement))
    called = set(re.findall(r"(?:CALL|SELECT) (\w+)", page))
    granted = {row["name"] for row in query(
        world.admin, "SELECT routine_name AS name FROM"
        " information_schema.routines WHERE routine_schema = DATABASE()")}
    assert granted - called == {"admin_account_close"}
    query(world.admin, "CALL admin_wallet_adjust(%s, 'live', -94000, 'x')",
          world.account)
    query(world.admin, "CALL admin_account_close(%s)", world.account)
    query(world.admin, "CALL admin_category_set(7311, 7319, 'advertising')")
    query(world.admin, "CALL admin_hold_window_set(7032, 7033, 7)")
    assert query(world.owner, "SELECT * FROM mcc_categories") == categories
