# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/api.md and docs/network.md are those of the sources."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
METHODS = "GET|POST|PATCH|DELETE"


def source(path):
    return (TOP / path).read_text()


def table(page, heading):
    """The rows of the first table below the heading that has these columns."""
    head = "| " + " | ".join(heading) + " |\n"
    start = source(page).index(head) + len(head)
    rows = source(page)[start:].split("\n\n")[0].splitlines()[1:]
    return [tuple(cell.strip(" `") for cell in row.strip("|").split("|"))
            for row in rows]


def test_errors():
    rows = re.findall(r'^ERROR\(\w+, "(\w+)", (\d+), (\w+), "(.*)"\)$',
                      source("src/base/error.def"), re.M)
    assert len(rows) == source("src/base/error.def").count("\nERROR(")
    wanted = [(code, status, {"true": "yes", "false": "no"}[again], sentence)
              for code, status, again, sentence in rows]
    shown = table("docs/api.md", ("error", "status", "retry", "sentence"))
    assert sorted(shown) == sorted(wanted)


def test_declines():
    rows = re.findall(r'^DECLINE\(\w+, "(\w+)", "(\w\w)", "(.*)"\)$',
                      source("src/core/decline.def"), re.M)
    assert len(rows) == source("src/core/decline.def").count("\nDECLINE(")
    assert table("docs/network.md",
                 ("decline_reason", "response code", "the rule")) == rows


def routes():
    text = source("src/api/routes.c").split("route routes[]")[1]
    found = re.findall(r'[{\t](%s)\("(/[^"]+)"' % METHODS, text)
    found += [("POST", f"/v1/simulate/{name}") for name in
              re.findall(r'SANDBOX\("(\w+)"', text)]
    found += [("POST", f"/network/v1/{name}") for name in
              re.findall(r'NETWORK\("([^"]+)"', text)]
    assert len(found) == len(
        re.findall(r"\.summary =|^\t(?:SANDBOX|NETWORK)\(", text, re.M))
    return found


def test_every_route_is_described():
    pages = source("docs/api.md") + source("docs/network.md")
    assert [route for route in routes()
            if "`%s %s`" % route not in pages] == []


def test_every_event_is_described():
    names = re.findall(r'"((?:card|transaction|deposit|3ds|webhook)\.\w+)"',
                       source("src/api/events.c").split("NULL}")[0])
    page = source("docs/api.md")
    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in page] == []
