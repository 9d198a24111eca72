from __future__ import annotations

from typing import Any

from tests.support.local_api import LocalApi, chat_lines, jsonl


def test_permissions__created_listed_and_deleted(api: LocalApi) -> None:
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))
    checkpoint = f"{job['fine_tuned_model']}:ckpt-step-100"
    path = f"/fine_tuning/checkpoints/{checkpoint}/permissions"
    made = api.ok("POST", path, json={"project_ids": ["proj_a", "proj_b", "proj_a"]})
    assert [row["project_id"] for row in made["data"]] == ["proj_a", "proj_b"]
    again = api.ok("POST", path, json={"project_ids": ["proj_c", "proj_a"]})
    ids = {row["project_id"]: row["id"] for row in made["data"] + again["data"]}
    assert again["data"][1] == made["data"][0]

    def listed(**query: Any) -> list[str]:
        return [row["project_id"] for row in api.ok("GET", path, params=query)["data"]]

    assert listed() == ["proj_c", "proj_b", "proj_a"]
    assert listed(order="ascending", limit=2) == ["proj_a", "proj_b"]
    assert listed(order="ascending", after=ids["proj_b"]) == ["proj_c"]
    assert listed(project_id="proj_b") == ["proj_b"]
    assert api.refused("GET", path, params={"order": "asc"})[1]["param"] == "order"
    gone = api.ok("DELETE", f"{path}/{ids['proj_b']}")
    assert gone == {"id": ids["proj_b"], "object": "checkpoint.permission", "deleted": True}
    assert api.refused("DELETE", f"{path}/{ids['proj_b']}")[0] == 404
    assert listed() == ["proj_c", "proj_a"]
    assert api.refused("POST", path, json={})[1]["param"] == "project_ids"
    for projects in ([], [""], "proj_a"):
        error = api.refused("POST", path, json={"project_ids": projects})[1]
        assert error["param"] == "project_ids"
    assert api.refused("POST", path, json={"project_ids": ["p"], "x": 1})[1]["param"] == "x"
    nowhere = "/fine_tuning/checkpoints/ft:tiny:local::x/permissions"
    assert api.refused("GET", nowhere)[1]["code"] == "model_not_found"
