# SPDX-License-Identifier: Apache-2.0
"""The stories run against a whole stack, with what the API tests share: this
is their conftest, and the folder of their helpers."""

import pathlib
import sys

API = pathlib.Path(__file__).resolve().parent.parent / "api"
exec(compile((API / "conftest.py").read_text(), API / "conftest.py", "exec"))
sys.path.insert(0, str(API))

# Asked for by stories; a fixture is known where its name is.
import payments  # noqa: E402

network = payments.network
