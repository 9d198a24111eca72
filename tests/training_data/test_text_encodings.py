from __future__ import annotations

import json

import pytest

from finetune_client.training_data import check
from finetune_client.training_data.text_encodings import is_mostly_utf8, likely_encoding


@pytest.mark.parametrize(
    ("text", "encoding", "likely"),
    [
        ("¿Dónde está la niña? Está aquí — número 3.", "cp1252", "cp1252"),
        ("Größe über Straße „so“ f\u00e4llt\u2019s auf", "cp1252", "cp1252"),
        ("L'été où naît un cœur brisé", "cp1252", "cp1252"),
        ("Vår nästa ö", "latin-1", "cp1252"),
        ("Привет, как дела? «Да» — нет", "cp1251", "cp1251"),
        ("こんにちは、世界。", "shift_jis", "shift_jis"),
        ("안녕하세요 세계", "euc_kr", "euc_kr"),
        ("你好\uff0c世界。", "gb18030", "gb18030"),
        ("Größe über", "cp850", None),
        ("\x81 \x8d", "latin-1", None),
    ],
)
def test_likely_encoding__of_a_line(text: str, encoding: str, likely: str | None) -> None:
    line = json.dumps({"content": text}, ensure_ascii=False).encode(encoding)
    assert likely_encoding(line) == likely


def test_likely_encoding__of_a_sample_that_cuts_a_character() -> None:
    assert likely_encoding("こんにちは".encode("shift_jis")[:-1]) == "shift_jis"
    assert likely_encoding(("é" + "x" * 5000 + "\x81").encode("latin-1")) == "cp1252"


def test_is_mostly_utf8__of_a_line_with_one_character_cut() -> None:
    assert is_mostly_utf8("世界の世界".encode()[:-1])
    assert not is_mostly_utf8("Größe über Straße".encode("cp1252"))


def test_check__names_the_call_that_repairs() -> None:
    [first, *_] = check('{"a": "señor"}\n'.encode("cp1252")).problems
    assert first.message == (
        "Byte 10 of the line (0xF1) is not UTF-8. Save the file as UTF-8, or repair it by telling "
        "what it was written in: training_data.fix(file, encoding='cp1252') (finetune fix --encoding)."
    )
    [first, *_] = check('{"a": "世界世界'.encode()[:-1]).problems
    assert first.message.endswith(
        "training_data.fix(file, encoding=...) (finetune fix --encoding)."
    )
