# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/api.md and docs/network.md are those of the sources."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
METHODS = "GET|POST|PUT|PATCH|DELETE"


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
    text = source("src/api/routes.c").split("route routes[]")[1].split(
        "\n};")[0]
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


def test_every_route_of_the_dialect_is_described():
    text = source("src/api/routes.c").split("route privacy_routes[]")[1].split(
        "\n};")[0]
    found = re.findall(r'[{\t](%s)\("(/[^"]+)"' % METHODS, text)
    found += [("POST", f"/v1/simulate/{name}") for name in
              re.findall(r'PRIVACY_SIMULATE\("(\w+)"', text)]
    assert len(found) == len(re.findall(r"^\t(?:\{|PRIVACY_SIMULATE)", text,
                                        re.M))
    page = source("docs/privacy.md")
    assert [route for route in found if "`%s %s`" % route not in page] == []


def test_every_decline_has_its_result():
    reasons = re.findall(r'^DECLINE\(\w+, "(\w+)"',
                         source("src/core/decline.def"), re.M)
    shown = table("docs/privacy.md", ("`result`",
                                      "[decline reasons](network.md)"))
    listed = [word.strip(" `") for _, words in shown
              for word in words.split(",")]
    assert sorted(listed) == sorted(reasons + ["none"])


def test_texts_of_the_dialect_are_its_own():
    text = re.sub(r'"\s+"', "", source("src/api/privacy.c"))
    shown = table("docs/privacy.md", ("status", "message", "when"))
    own = [message for status, message, _ in shown
           if status in ("401", "429")]
    assert len(own) == 7
    assert [message for message in own if f'"{message}"' not in text] == []


def test_every_event_is_described():
    names = re.findall(r'"((?:card|transaction|deposit|3ds|webhook)\.\w+)"',
                       source("src/api/events.c").split("NULL}")[0])
    page = source("docs/api.md")
    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in page] == []
