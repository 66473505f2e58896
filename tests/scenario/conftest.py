# SPDX-License-Identifier: Apache-2.0
"""The stories run against a whole stack, with what the API tests use."""

import importlib.util
import pathlib
import sys

API = pathlib.Path(__file__).resolve().parent.parent / "api"

# Both folders have a conftest; the API tests' own helpers know theirs by it.
spec = importlib.util.spec_from_file_location("conftest", API / "conftest.py")
shared = importlib.util.module_from_spec(spec)
sys.modules["conftest"] = shared
spec.loader.exec_module(shared)
sys.path.insert(0, str(API))

env, stack, admin, owner, audit = (
    shared.env, shared.stack, shared.admin, shared.owner, shared.audit)

from payments import network  # noqa: E402,F401
