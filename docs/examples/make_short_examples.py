"""Make the short example files of this folder: questions of the long ones, answered in a sentence.

    python docs/examples/make_short_examples.py [FOLDER]

A model that is trained on them answers in one sentence instead of a page, which is visible after
two minutes on a small machine.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from finetune_client.models import ChatExample, ChatMessage
from finetune_client.training_data import read_rows, write_jsonl

HERE = Path(__file__).parent
SHORTEST, LONGEST = 40, 160
"""The characters of an answer."""
SENTENCE = re.compile(r"[A-Z][^\n:;]*?[a-z)\"]\.(?=\s|$)")
COUNTS = {"train": 40, "valid": 10}


def short(row: dict[str, object]) -> ChatExample | None:
    """Return an example whose answer is the first sentence of a row's, if that stands alone."""
    example = ChatExample.from_dict(row)
    _system, question, answer = (str(one.content) for one in example.messages or ())
    found = SENTENCE.match(answer)
    if found is None or not SHORTEST <= len(found[0]) <= LONGEST or "[" in found[0]:
        return None
    return ChatExample(
        messages=[
            ChatMessage(role="user", content=question),
            ChatMessage(role="assistant", content=found[0]),
        ]
    )


def main(folder: Path) -> None:
    """Write both files."""
    for name, count in COUNTS.items():
        rows = read_rows(HERE / f"python_topics_{name}.jsonl")
        examples = [example for row in rows if (example := short(dict(row))) is not None]
        write_jsonl(
            folder / f"python_short_{name}.jsonl",
            examples[:: len(examples) // count][:count],
            overwrite=True,
        )
        print(f"python_short_{name}.jsonl: {min(count, len(examples))} of {len(examples)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
