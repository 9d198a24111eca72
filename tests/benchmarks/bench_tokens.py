"""How near the estimate of tokens is to the real encodings, and how fast both are.

    python tests/benchmarks/bench_tokens.py

The texts are real: Python's help texts, the source of its standard library, and, where the
machine has them, the translated messages of its programs in twelve languages. Speed is given in
megabytes a second and as a ratio to a bare ``json.loads`` of the same texts, best of five runs.
"""

from __future__ import annotations

import gettext
import json
import sysconfig
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING

from finetune_client.training_data.tokens import EncodingCounter, EstimateCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from finetune_client.training_data.tokens import Counter

CATALOGUES = Path("/usr/share/locale")
LANGUAGES = ("de", "fr", "es", "vi", "tr", "pl", "zh_CN", "ja", "ko", "el", "uk", "ru")
ROUNDS = 5
LEAST = 20_000


def corpora() -> Iterator[tuple[str, list[str]]]:
    yield "English (pydoc)", [part for text in topics.values() for part in text.split("\n\n")]
    folder = Path(sysconfig.get_path("stdlib"))
    sources = [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.py"))]
    yield "Python source", [text[:4000] for text in sources]
    for language in LANGUAGES:
        texts = messages(language)
        if sum(map(len, texts)) > LEAST:
            yield language, texts


def messages(language: str) -> list[str]:
    found: list[str] = []
    for path in sorted((CATALOGUES / language).glob("LC_MESSAGES/*.mo")):
        if path.name.startswith("iso_"):
            continue
        try:
            with path.open("rb") as file:
                catalogue = vars(gettext.GNUTranslations(file))["_catalog"]
        except UnicodeDecodeError:  # an old one, which is not in UTF-8
            continue
        long = [text for key, text in catalogue.items() if key and len(text) > 60]
        found += long[:300]
    return found


def fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    estimate = EstimateCounter()
    exact = [EncodingCounter("o200k_base"), EncodingCounter("cl100k_base")]
    everything = dict(corpora())
    print(f"{'texts':18}{'kB':>6}  estimate / o200k_base  estimate / cl100k_base")
    for name, texts in everything.items():
        size = sum(len(text.encode()) for text in texts) // 1000
        guess = sum(map(estimate.count, texts))
        ratios = [guess / sum(map(counter.count, texts)) for counter in exact]
        print(f"{name:18}{size:>6}  {ratios[0]:>21.2f}  {ratios[1]:>22.2f}")
    texts = everything["English (pydoc)"]
    lines = [json.dumps(text) for text in texts]
    size = sum(map(len, lines))
    loads = fastest(lambda: [json.loads(line) for line in lines])
    counters: list[Counter] = [estimate, *exact]
    for counter in counters:
        seconds = fastest(lambda: sum(map(counter.count, texts)))  # noqa: B023  # called at once
        print(
            f"{counter.label}: {size / seconds / 1e6:.1f} MB/s, {loads / seconds:.2f} of json.loads"
        )


if __name__ == "__main__":
    main()
