"""What the documents say of the command line and of files is true."""

import re
from pathlib import Path

import pytest

from trainer.config import parse_config
from workbench.cli import parser

ROOT = Path(__file__).resolve().parent.parent
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "db" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_verb_is_documented_and_every_documented_verb_exists():
    verbs = next(action for action in parser()._actions if action.dest == "verb").choices
    assert set(re.findall(r"^\| `([\w-]+)` \|", CLI, re.MULTILINE)) == set(verbs)


def test_the_examples_of_the_command_line_can_be_parsed():
    import shlex

    examples = [line.split("|")[3] for line in CLI.splitlines() if re.match(r"\| `\w+` \|", line)]
    commands = [command for cell in examples for command in re.findall(r"`([^`]+)`", cell)]
    assert len(commands) >= 10
    for command in commands:
        parser().parse_args(shlex.split(command))


def test_the_example_pattern_is_valid():
    [block] = re.findall(r"```json\n(.*?)```", CLI, re.DOTALL)
    assert parse_config(block).epochs == 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    named = re.findall(r"`((?:workbench|trainer|db|pages|docs|tests)/[\w/]+\.\w+)`", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []
