"""The search for secrets over many lines passes over none that the look at each text finds."""

from __future__ import annotations

import pytest

from finetune_client.training_data.checking.unwanted_text import TextCheck, holds_secret
from finetune_client.training_data.problems import ProblemCollector

SHORTEST = {
    "sk": "sk-" + "a" * 19 + "1",
    "sk, named": "sk-proj-" + "a" * 14 + "1",
    "GitLab": "glpat-" + "-" * 19 + "a",
    "Slack": "xoxb-" + "-" * 9 + "a",
    "GitHub": "ghp_" + "a" * 36,
    "GitHub, fine-grained": "github_pat_" + "_" * 21 + "a",
    "Hugging Face": "hf_" + "a" * 30,
    "AWS": "AKIA" + "A" * 16,
    "Google": "AIza" + "_" * 34 + "a",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
}
"""Of each kind a text that is no longer than it must be."""


@pytest.mark.parametrize("text", SHORTEST.values(), ids=SHORTEST)
def test_secret__the_shortest_of_its_kind_is_found_in_the_bytes_too(text: str) -> None:
    problems = ProblemCollector()
    TextCheck(problems, secrets=True).check(f"the key {text}")
    assert problems.counts == {"secret": 1}
    assert holds_secret(f'{{"content": "a-b the_key A {text}"}}\n'.encode())


@pytest.mark.parametrize("text", ["risk-free", "a_name", "AK", "sk-", "2024-05-01", "x" * 99])
def test_secret__prose_holds_none(text: str) -> None:
    assert not holds_secret(f'{{"content": "{text} and more"}}\n'.encode())
