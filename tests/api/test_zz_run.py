# SPDX-License-Identifier: Apache-2.0
"""Looks back at the whole run."""

import re


def codes(env):
    table = (env.src / "src/base/error.def").read_text()
    return set(re.findall(r'^ERROR\(\w+, "(\w+)"', table, re.M))


def test_every_error_was_provoked(env):
    seen = set((env.var / "errors-provoked").read_text().split())
    known = codes(env)
    assert len(known) > 30
    assert seen <= known, seen - known
    assert not known - seen, f"never provoked: {sorted(known - seen)}"


# Always refused: there is nothing here that they could do.
NEVER_DONE = {("post", "/v1/funding_sources"), ("post", "/v1/fundingsource/bank"),
              ("post", "/v1/cards/{card_token}/provision")}


def test_every_route_was_asked(stack):
    """Each operation of each document was answered with success once."""
    missing = [f"{name}: {method.upper()} {path}"
               for name, openapi in stack.documents.items()
               for path, item in openapi.document["paths"].items()
               for method in item if method in ("get", "post", "put", "patch",
                                                "delete")
               and (method, path) not in openapi.succeeded
               and path != "/metrics"
               and (name == "native" or (method, path) not in NEVER_DONE)]
    assert not missing


def test_nothing_was_broken(env, stack):
    """A BROKEN line means that an invariant did not hold."""
    found = []
    for path in (env.var / "log").rglob("*"):
        if not path.is_file():
            continue
        text = path.read_bytes()[stack.log_sizes.get(path, 0):]
        for line in text.decode(errors="replace").splitlines():
            if "BROKEN" in line and not any(
                    request_id in line
                    for request_id in stack.broken_expected):
                found.append(f"{path.name}: {line}")
    assert not found, "\n".join(found[:20])


def test_the_ledger_is_proved(audit):
    audit()
