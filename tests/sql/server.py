# SPDX-License-Identifier: Apache-2.0
"""A MariaDB of the tests' own, and databases in it."""

import contextlib
import itertools
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time

import pymysql

SRC = pathlib.Path(os.environ.get(
    "CARDSTOCK_SRC", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("CARDSTOCK_BUILD", SRC))
BIN = "491653"

numbers = itertools.count(1)


class Server:
    """mariadbd on a socket in a folder of its own, with durable commits."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cardstock-sql-"))
        self.socket = self.folder / "socket"
        data = self.folder / "data"
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        self.user = user
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--user={user}",
             f"--datadir={data}", "--auth-root-authentication-method=socket",
             f"--auth-root-socket-user={user}", "--skip-test-db",
             "--force"],
            check=True, stdout=subprocess.DEVNULL)
        self.command = [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults",
            f"--user={user}", f"--datadir={data}", f"--socket={self.socket}",
            f"--pid-file={self.folder}/pid", "--skip-networking",
            f"--tmpdir={self.folder}",
            f"--log-error={self.folder}/error.log",
            "--innodb-buffer-pool-size=64M", "--performance-schema=OFF",
            "--innodb-flush-log-at-trx-commit=1", "--secure-timestamp=YES",
            "--character-set-server=utf8mb4", *options]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(300):
            with contextlib.suppress(pymysql.err.OperationalError):
                self.connect(None).close()
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "error.log").read_text()[-2000:])

    def stop(self, kill=False):
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder)

    def connect(self, database, user="root", **options):
        return pymysql.connect(unix_socket=str(self.socket), user=user,
                               database=database, autocommit=True,
                               charset="utf8mb4", **options)


class Database:
    """One database, its configuration file and the programs run on it."""

    def __init__(self, server):
        self.server = server
        self.name = f"cardstock_{next(numbers)}"
        self.folder = server.folder / self.name
        self.folder.mkdir()
        self.keys = self.folder / "keys"
        self.keys.write_text(f"1 {secrets.token_hex(32)}\n")
        self.keys.chmod(0o400)
        self.config = self.folder / "cardstock.conf"
        self.config.write_text(
            f"db_socket = {server.socket}\ndb_name = {self.name}\n"
            "db_user = root\ndb_owner_user = root\n"
            f"master_key_file = {self.keys}\n")
        with server.connect(None) as root:
            root.cursor().execute(f"CREATE DATABASE {self.name}")
        self.root = server.connect(self.name)
        self.sql_dir = SRC / "sql"

    def run(self, program, *arguments):
        return subprocess.run(
            [BUILD / program, "--config", self.config, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, timeout=120)

    def migrate(self, *arguments):
        return self.run("cardstock-migrate", "--sql-dir", self.sql_dir,
                        *arguments)

    def audit(self, *arguments):
        return self.run("cardstock-audit", "--sql-dir", self.sql_dir,
                        *arguments)

    def sql(self, statement, *parameters):
        """All rows of the first result."""
        with self.root.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            rows = cursor.fetchall()
            while cursor.nextset():
                pass
            return rows

    def one(self, statement, *parameters):
        return self.sql(statement, *parameters)[0][0]

    def script(self, text):
        """What a statement a line of text does, one by one."""
        for line in filter(None, map(str.strip, text.split(";\n"))):
            self.sql(line.rstrip(";"))

    def close(self):
        self.root.close()
        with self.server.connect(None) as root:
            root.cursor().execute(f"DROP DATABASE {self.name}")
