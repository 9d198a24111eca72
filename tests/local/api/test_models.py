from __future__ import annotations

from tests.support.local_api import LocalApi, chat_lines, jsonl


def test_models__base_models_stay(api: LocalApi) -> None:
    names = [row["id"] for row in api.ok("GET", "/models")["data"]]
    assert names == ["tiny", "babbage-002", "davinci-002", "gpt-3.5-turbo", "gpt-4o-mini"]
    assert api.ok("GET", "/models/tiny")["owned_by"] == "system"
    assert api.refused("DELETE", "/models/tiny")[0] == 403
    assert api.refused("GET", "/models/meta/llama")[1]["message"] == (
        "The model 'meta/llama' does not exist"
    )


def test_models__any_base_name_will_do(api: LocalApi) -> None:
    job = api.trained(model="meta/llama:8b", training_file=api.upload(jsonl(chat_lines(10))))
    name = job["fine_tuned_model"]
    assert name == f"ft:meta/llama:8b:local::{job['id'][-8:]}"
    assert api.session.get(f"{api.base}/models/{name}").json()["id"] == name
