# SPDX-License-Identifier: Apache-2.0
"""Runs tests/sql/test_db.c: the database layer against a real MariaDB."""

import os
import subprocess

from server import BUILD, Database, Server


def test_db():
    if (BUILD / "Makefile").exists():
        subprocess.run(["make", "-s", "-C", BUILD, "tests/sql/test_db"],
                       check=True, stdout=subprocess.DEVNULL)
    server = Server()
    try:
        database = Database(server)
        done = database.migrate()
        assert done.returncode == 0, done.stdout
        database.sql("CALL admin_account_create('Acme')")
        with database.config.open("a") as config:
            config.write("db_read_timeout_s = 4\n")
        done = subprocess.run(
            [BUILD / "tests/sql/test_db"], timeout=300, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"CARDSTOCK_CONFIG": str(database.config)})
        assert done.returncode == 0, done.stdout
        assert "100%: Checks: 24" in done.stdout
        assert "4916530000000006" not in done.stdout
    finally:
        server.close()


def test_server_that_comes_back():
    """What is committed survives kill -9, and the programs find it again."""
    server = Server()
    try:
        database = Database(server)
        assert database.migrate().returncode == 0
        server.stop(kill=True)
        gone = database.migrate("--check")
        assert gone.returncode == 2 and "BROKEN" not in gone.stdout
        assert database.audit().returncode == 2
        server.start()
        assert database.migrate("--check").returncode == 0
        assert database.audit().returncode == 0
    finally:
        server.close()
