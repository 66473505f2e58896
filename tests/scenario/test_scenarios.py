# SPDX-License-Identifier: Apache-2.0
"""Each story twice: as the sandbox tells it, and as the network does."""

import pathlib
import re

import pytest
from interpreter import Story

FOLDER = pathlib.Path(__file__).resolve().parent
STORIES = sorted(FOLDER.glob("*.scenario"))
RULES = 22


@pytest.mark.parametrize("way", ["sandbox", "network"])
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path, way, stack, admin, owner, network, audit):
    story = Story(path, way, stack, admin, owner, network, audit)
    assert story.run() > 2


def test_every_rule_has_a_story():
    told = {int(number) for path in STORIES
            for number in re.findall(r"^rule_(\d+)_", path.stem)}
    assert told == set(range(1, RULES + 1))


def test_nothing_was_broken(env):
    """A BROKEN line means that an invariant did not hold."""
    found = [f"{path.name}: {line}"
             for path in (env.var / "log").rglob("*") if path.is_file()
             for line in path.read_text(errors="replace").splitlines()
             if "BROKEN" in line]
    assert not found, "\n".join(found[:20])


# The interpreter must be able to fail.

WRONG = [
    "auth H1 card=C amount=10.00 -> declined insufficient_funds",
    "auth H1 card=C amount=10.00 -> approved balance=91.00",
    "auth H1 card=C amount=10.00 -> approved status=settled",
    "auth H1 card=C amount=101.00 -> approved",
    "auth H1 card=C amount=101.00 -> declined monthly_limit "
    "insufficient_funds",
    "reverse H9 -> voided",
    "events C -> card.created card.frozen",
    "freeze C -> active",
    "auth H1 card=C amount=10.00 colour=red -> approved",
]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_story_fails(line, tmp_path, stack, admin, owner, network,
                             audit):
    path = tmp_path / "wrong.scenario"
    path.write_text("account A wallet=200.00\n"
                    "card C of=A fund=100.00\n" + line + "\n")
    with pytest.raises(AssertionError, match="wrong.scenario:3"):
        Story(path, "sandbox", stack, admin, owner, network, audit).run()
