# SPDX-License-Identifier: Apache-2.0
"""Every statement of src/store is one that the schema knows and that its role
may run: those that select are prepared, those that call have as many
parameters as the routine."""

import re
import subprocess

import pytest

from conftest import query
from server import SRC

# Whose connection the statements of a file are for, where not a worker's.
ROLES = {"keeper": "keeper", "courier": "courier", "audit": "owner",
         "sealed": "owner"}
LITERAL = r'"(?:[^"\\]|\\.)*"'


def statements(path):
    """As the compiler sees them, macros and all."""
    text = subprocess.check_output(["cc", "-E", "-P", path], text=True)
    for match in re.finditer(rf"\.sql = ((?:{LITERAL}\s*)+)", text):
        yield "".join(part[1:-1] for part in re.findall(LITERAL, match[1]))


FILES = sorted((SRC / "src/store").glob("*.c"))


def test_there_are_some():
    assert sum(len(list(statements(path))) for path in FILES) > 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_statements(world, path):
    for statement in statements(path):
        role = ROLES.get(path.stem, "api")
        if "FROM courier_totals" in statement:
            role = "api"
        connection = getattr(world.installation, role)
        call = re.fullmatch(r"CALL (\w+)\(([?, ]*)\)", statement)
        if call is None:
            with connection.cursor() as cursor:
                cursor.execute("PREPARE tried FROM %s", (statement,))
            query(connection, "DEALLOCATE PREPARE tried")
            continue
        count = query(world.owner, "SELECT COUNT(*) AS n FROM"
                      " information_schema.parameters WHERE specific_schema ="
                      " DATABASE() AND specific_name = %s", call[1])[0]["n"]
        assert count == call[2].count("?"), statement
        assert query(connection, "SELECT 1 FROM information_schema.routines"
                     " WHERE routine_schema = DATABASE() AND routine_name ="
                     " %s", call[1]), statement
