"""What the page shows of the examples is what is in them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"
NOT_RUN = "With Celery"


def test_page__shows_what_is_in_the_files_that_it_names() -> None:
    sections = re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = 0
    for section in sections:
        named = re.findall(r"\]\((examples/[\w/]+\.py)\)", section)
        sources = [(PAGE.parent / name).read_text(encoding="utf-8") for name in named]
        for code in re.findall(r"^```python no-run\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            if not section.startswith(NOT_RUN):
                shown += 1
                forms = [textwrap.indent(code, " " * depth) for depth in (0, 4, 8)]
                assert any(form in source for form in forms for source in sources), code
    assert shown == 6


def test_page__names_every_example() -> None:
    text = PAGE.read_text(encoding="utf-8")
    folder = PAGE.parent / "examples"
    made = {"make_examples.py", "make_short_examples.py"}
    scripts = {path.name for path in folder.glob("*.py")} - made
    assert len(scripts) == 5
    assert {name for name in scripts if f"](examples/{name})" not in text} == set()
    assert "](examples/django_webhooks/__init__.py)" in text
