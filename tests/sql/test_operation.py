# SPDX-License-Identifier: Apache-2.0
"""docs/operation.md: its set-up on a server that writes a binary log, and a
dump brought back on the same server and on a new one. The statements, the
server's settings and the commands are the page's own."""

import contextlib
import re
import secrets
import subprocess
import types

import pymysql
import pytest

from conftest import PASSWORD, World, check_books, query
from server import BUILD, SRC, Server

PAGE = (SRC / "docs/operation.md").read_text()
SETUP = PAGE[PAGE.index("### User, key, database"):
             PAGE.index("### The master key")]
RESTORE = PAGE[PAGE.index("## Backup and restore"):PAGE.index("## Upgrade")]


def block(text, first):
    """The indented block that a line beginning so opens, without the indent."""
    found = re.search(rf"^    {re.escape(first)}.*\n(?:    .*\n)*", text, re.M)
    return re.sub("^    ", "", found[0], flags=re.M)


def commands(text, program):
    return re.findall(rf"^    ({program} .*)$", text, re.M)


class Machine:
    """A server set up as the page says."""

    def __init__(self):
        settings = block(SETUP, "[mariadbd]").splitlines()[1:]
        assert len(settings) > 3
        self.server = Server("--log-bin=binlog", "--server-id=1", *[
            "--" + re.sub(" = ", "=", line) for line in settings])
        self.folder = self.server.folder
        self.open = contextlib.ExitStack()
        keys = self.secret("keys", f"1 {secrets.token_hex(32)}\n")
        password = self.secret("password", PASSWORD + "\n")
        self.config = self.folder / "cardstock.conf"
        self.config.write_text(
            f"db_socket = {self.server.socket}\nmaster_key_file = {keys}\n"
            f"db_owner_password_file = {password}\n")

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o400)
        return path

    def close(self):
        self.open.close()
        self.server.close()

    def connect(self, user):
        return self.open.enter_context(self.server.connect(
            "cardstock", user, password=PASSWORD if user != "root" else "",
            cursorclass=pymysql.cursors.DictCursor))

    def shell(self, command):
        """A command of the page, run by the administrator or the owner."""
        user, password = "root", ""
        if "-u cardstock_owner -p" in command:
            command = command.replace("-u cardstock_owner -p ", "")
            user, password = "cardstock_owner", f"--password='{PASSWORD}'"
        client, rest = command.split(" ", 1)
        done = subprocess.run(
            f"{client} --no-defaults --socket={self.server.socket}"
            f" --user={user} {password} {rest}", shell=True, text=True,
            capture_output=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr

    def run(self, program, *arguments):
        done = subprocess.run(
            [BUILD / program, "--config", self.config, "--sql-dir",
             SRC / "sql", *arguments], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def users(self):
        text = block(SETUP, "CREATE DATABASE").replace("…", PASSWORD)
        with self.server.connect(None) as root:
            for statement in filter(None, map(str.strip, text.split(";\n"))):
                root.cursor().execute(statement)
            root.cursor().execute("CREATE USER operator@localhost"
                                  f" IDENTIFIED BY '{PASSWORD}'")

    def roles(self):
        given = [c for c in commands(SETUP, "mariadb") if " -e " in c]
        assert len(given) == 2
        for command in given:
            self.shell(command)
            # "An operator's own user takes the role in the same two steps."
            self.shell(re.sub("'.*'", lambda found: re.sub(
                "; .*'", "'", found[0].replace("cardstock_api@", "operator@")
                .replace("cardstock_api", "cardstock_admin")), command))

    def load(self, dump, over=False):
        """Into a new database, or over the one that is there."""
        (self.folder / "cardstock.sql").write_bytes(dump)
        given = commands(RESTORE, "mariadb")
        assert len(given) == 2
        for command in given[over:]:
            self.shell(command)

    def world(self):
        """Its users are this machine's own; new connections each time."""
        connect = self.connect
        return World(types.SimpleNamespace(
            owner=connect("cardstock_owner"),
            api=connect("cardstock_api"),
            admin=connect("operator")))

    def rights(self):
        """Of the roles, whatever the routines' and views' order."""
        with self.server.connect(None) as root:
            cursor = root.cursor()
            cursor.execute(
                "SELECT User, Routine_name, Proc_priv FROM mysql.procs_priv"
                " UNION ALL SELECT User, Table_name, Table_priv"
                " FROM mysql.tables_priv WHERE Db = 'cardstock'")
            return sorted(cursor.fetchall())

    def works(self):
        """Everybody who works on the database can."""
        world = self.world()
        world.card()
        query(self.connect("cardstock_keeper"), "CALL keeper_holds(10)")
        query(self.connect("cardstock_courier"),
              "CALL courier_release('0123456789abcdef', '')")
        check_books(world.owner)
        assert "clean" in self.run("cardstock-audit", "--seal")
        return world


@pytest.fixture(scope="module")
def machine():
    machine = Machine()
    with contextlib.closing(machine):
        machine.users()
        machine.run("cardstock-migrate")
        machine.roles()
        yield machine


@pytest.fixture(scope="module")
def dump(machine):
    machine.works()
    (command,) = commands(RESTORE, "mariadb-dump")
    machine.shell(command)
    return (machine.folder / "cardstock.sql").read_bytes()


def accounts(machine):
    return query(machine.connect("cardstock_owner"),
                 "SELECT public_id FROM accounts ORDER BY id")


def collation(machine):
    return query(machine.connect("cardstock_owner"),
                 "SELECT @@collation_database AS c")[0]["c"]


def test_set_up(machine):
    """With a binary log, by an owner who may not do everything."""
    assert query(machine.connect("root"), "SELECT @@log_bin AS on_")[0]["on_"]
    machine.works()


@pytest.mark.parametrize("over", [False, True])
def test_dump_on_the_same_server(machine, dump, over):
    before, rights = accounts(machine), machine.rights()
    assert len(rights) > 100
    machine.open.close()
    machine.load(dump, over)
    assert accounts(machine) == before[:len(accounts(machine))] != []
    assert "routines unchanged" in machine.run("cardstock-migrate")
    assert machine.rights() == rights
    machine.works()
    assert collation(machine) == "utf8mb4_unicode_520_ci"


def test_password_file_for_all_to_read_is_refused(machine):
    password = machine.folder / "password"
    for mode in (0o440, 0o604, 0o700, 0o644):
        password.chmod(mode)
        done = subprocess.run(
            [BUILD / "cardstock-migrate", "--config", machine.config,
             "--sql-dir", SRC / "sql", "--check"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 2, oct(mode)
        assert f"mode must be 0400 or 0600, not {mode:04o}" in done.stdout
        assert PASSWORD not in done.stdout
    for mode in (0o600, 0o400):
        password.chmod(mode)
        machine.run("cardstock-migrate", "--check")


def test_dump_on_a_new_server(machine, dump):
    new = Machine()
    with contextlib.closing(new):
        new.secret("keys.restored", (machine.folder / "keys").read_text())
        (new.folder / "keys.restored").rename(new.folder / "keys")
        new.users()
        new.load(dump)
        new.run("cardstock-migrate")
        new.roles()
        assert new.rights() == machine.rights()
        new.works()
        assert collation(new) == "utf8mb4_unicode_520_ci"
        # Nothing is made again that need not be, however often it runs.
        assert "routines unchanged" in new.run("cardstock-migrate")
        new.works()
