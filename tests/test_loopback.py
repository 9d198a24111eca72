from __future__ import annotations

import pytest

from finetune_client.loopback import is_loopback


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("finetune.LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.255.1.2", True),
        ("127.999.1.1", False),
        ("::1", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("::ffff:127.0.0.1", True),
        ("128.0.0.1", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("127.0.0.1.example.com", False),
        ("::2", False),
        ("0.0.0.0", False),
    ],
)
def test_is_loopback__names_and_addresses(host: str, here: bool) -> None:
    assert is_loopback(host) is here
