"""Make the example files of this folder from the help texts that Python itself carries.

    python docs/examples/make_examples.py [FOLDER]

The questions are about headings, methods, attributes and debugger commands; the answers are the
first paragraphs under them, of at most 1,200 characters. Another version of Python gives other
texts; README.md says which one the files here are from.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, NamedTuple

from finetune_client.models import ChatExample, ChatMessage
from finetune_client.training_data import Split, dedupe, split, write_jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM = "You answer questions about the Python language from its reference documentation."
LONGEST = 1200
SHORTEST = 100
SEED = 2026

UNDERLINE = re.compile(r"^([*=\-~^])\1{2,}$")
SIGNATURE = re.compile(r"^(?:(class|classmethod|static|async) )?[A-Za-z_][\w.]*\([^\n]*\)$")
ATTRIBUTE = re.compile(r"^[A-Za-z_]\w*\.\w+$")
COMMAND = re.compile(r"^[a-z]+(?:\([a-z]+\))?(?: [\[\w(].*)?$")
EMPHASIS = re.compile(r"(?<![\w*\"])\*{1,2}([\w][^*\n\"]*?)\*{1,2}(?![*\"])")
FOOTNOTE = re.compile(r"(?<=\S) ?\[\d+\]")
GRAMMAR = re.compile(r"^\w+ +::= ")
ITEM = re.compile(r"^(?:\*|-|\d+\.|[a-z]\.) ")
ASIDE = re.compile(r"^(?:Changed|Added|New) in version |^Deprecated since|^See also|^-\[ Footnotes")
VAGUE = {"", "Methods", "Overview", "Special Attributes", "Special read-only attributes"}
REMARKS = ("Note:", "Tip:", "Warning:", "Important:", "Caution:", "CPython implementation detail:")


class Paragraph(NamedTuple):
    """Lines without a blank one between them, and how far they are indented."""

    indent: int
    lines: list[str]


def paragraphs(text: str) -> list[Paragraph]:
    """Cut a text at its blank lines."""
    found = []
    for part in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")):
        lines = part.split("\n")
        indent = min(len(line) - len(line.lstrip()) for line in lines)
        found.append(Paragraph(indent, [line[indent:].rstrip() for line in lines]))
    return found


def is_heading(paragraph: Paragraph) -> bool:
    """Tell whether it is a line and its underline."""
    lines = paragraph.lines
    return len(lines) == 2 and bool(UNDERLINE.match(lines[1]))


def is_term(paragraph: Paragraph, following: Paragraph, topic: str) -> bool:
    """Tell whether it names what the indented paragraph after it is about."""
    if following.indent != paragraph.indent + 3 or ITEM.match(paragraph.lines[0]):
        return False
    name = paragraph.lines[0]
    command = topic == "debugger" and COMMAND.match(name)
    return bool(SIGNATURE.match(name) or ATTRIBUTE.match(name) or command)


def unwrapped(paragraph: Paragraph) -> str:
    """Put the lines of running text together again; a hyphen at a line's end joins."""
    text, *rest = paragraph.lines
    if rest and not ITEM.match(text) and all(line.startswith("   ") for line in rest):
        text += ":"
    for line in rest:
        joins = bool(re.search(r"\w-$", text))
        text += line.lstrip() if joins else f" {line.lstrip()}"
    return FOOTNOTE.sub("", EMPHASIS.sub(r"\1", re.sub(r" {2,}", " ", text)))


def is_code(paragraph: Paragraph, base: int, before: str) -> bool:
    """Tell code from running text: it is indented, and a colon or code stands before it."""
    first = paragraph.lines[0]
    if GRAMMAR.match(first) or first.startswith(">>>"):
        return True
    if ITEM.match(first) or paragraph.indent <= base or before in REMARKS:
        return False
    return first.startswith(("...", "@")) or before.endswith((":", "equivalent to", "\n"))


def answer(body: list[Paragraph]) -> str:
    """Give the first paragraphs of a body, as many as fit; nothing if they do not read well."""
    base = min((paragraph.indent for paragraph in body), default=0)
    parts: list[str] = []
    for paragraph in body:
        if ASIDE.match(paragraph.lines[0]):
            break
        if is_code(paragraph, base, parts[-1] if parts else ""):
            part = "\n".join(f"    {line}" for line in paragraph.lines) + "\n"
        else:
            part = unwrapped(paragraph)
        if sum(len(part) + 2 for part in [*parts, part]) > LONGEST:
            break
        parts.append(part)
    while parts and parts[-1].endswith((":", "equivalent to")):
        parts.pop()
    return "\n\n".join(part.rstrip() for part in parts)


def sections(text: str) -> Iterator[tuple[str, list[Paragraph]]]:
    """Give each heading with the paragraphs up to the next one."""
    heading = ""
    body: list[Paragraph] = []
    for paragraph in paragraphs(text):
        if is_heading(paragraph):
            yield heading, body
            heading, body = EMPHASIS.sub(r"\1", paragraph.lines[0]), []
        else:
            body.append(paragraph)
    yield heading, body


def pairs(topic: str, heading: str, body: list[Paragraph]) -> Iterator[tuple[str, str]]:
    """Give the questions of a section with their answers."""
    terms = [at for at in range(len(body) - 1) if is_term(body[at], body[at + 1], topic)]
    if heading not in VAGUE:
        yield about(heading), answer(body[: terms[0]] if terms else body)
    for at in terms:
        indent = body[at].indent
        end = next((n for n in range(at + 1, len(body)) if body[n].indent <= indent), len(body))
        inner = [n for n in terms if at < n < end]
        stop = inner[0] if inner else end
        yield about_term(body[at].lines[0], heading, topic), answer(body[at + 1 : stop])


def about(heading: str) -> str:
    """Ask about a heading."""
    if re.match(r'^The "[^"]+" statement$', heading):
        return f"What does {heading[0].lower()}{heading[1:]} do in Python?"
    return f"What should I know about this topic of Python: {heading}?"


def about_term(term: str, heading: str, topic: str) -> str:
    """Ask about a method, an attribute or a command."""
    if ATTRIBUTE.match(term):
        return f"What is {term} in Python?"
    if SIGNATURE.match(term) and "." in term.partition("(")[0]:
        return f"What does {term} do in Python?"
    if topic == "debugger":
        return f"What does the command {term} of Python's debugger do?"
    return f"In Python, under {heading}: what does {term} do?"


def examples() -> Iterator[ChatExample]:
    """Give an example for each question that is asked for the first time and has an answer."""
    asked: set[str] = set()
    answered: set[str] = set()
    for topic in sorted(topics):
        for heading, body in sections(topics[topic]):
            for question, text in pairs(topic, heading, body):
                if len(text) < SHORTEST or question.casefold() in asked or text in answered:
                    continue
                asked.add(question.casefold())
                answered.add(text)
                yield chat(question, text)


def chat(question: str, text: str) -> ChatExample:
    """Put a question and its answer into a conversation."""
    turns = [("system", SYSTEM), ("user", question), ("assistant", text)]
    return ChatExample(messages=[ChatMessage(role=role, content=said) for role, said in turns])


def main(folder: Path) -> Split:
    """Write both files."""
    with tempfile.TemporaryDirectory() as scratch:
        everything = Path(scratch, "python_topics.jsonl")
        write_jsonl(everything, dedupe(examples()))
        return split(
            everything,
            0.1,
            SEED,
            training_path=folder / "python_topics_train.jsonl",
            validation_path=folder / "python_topics_valid.jsonl",
            overwrite=True,
        )


if __name__ == "__main__":
    print(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
