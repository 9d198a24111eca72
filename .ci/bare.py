"""Run where only the wheel and its one dependency are installed."""

import importlib.util
import os
import subprocess
import sys

for extra in ("flask", "numpy", "click", "rich"):
    assert importlib.util.find_spec(extra) is None, f"{extra} came with the bare install"

package = importlib.util.find_spec("finetune_client").submodule_search_locations[0]
for name in ("index.html", "page.js", "page.css", "icon.svg"):
    assert os.path.isfile(f"{package}/local/page/{name}"), f"{name} is not in the wheel"

WITHOUT_REQUESTS = """
import sys
sys.modules["requests"] = None
sys.modules["urllib3"] = None
import finetune_client.models as models
import finetune_client.training_data, finetune_client.errors, finetune_client.webhooks
assert all(hasattr(models, name) for name in models.__all__)
job = models.FineTuningJob.from_dict({"id": "ftjob-1", "status": "paused"})
assert job.to_dict() == {"id": "ftjob-1", "status": "paused"}
"""
subprocess.run([sys.executable, "-c", WITHOUT_REQUESTS], check=True)

from finetune_client import Client, ConfigurationError  # noqa: E402

with Client(api_key="sk-none", base_url="http://127.0.0.1:9/v1", max_retries=0) as client:
    assert "sk-none" not in repr(client)
try:
    Client.local()
except ConfigurationError as error:
    assert "finetune-client[local]" in str(error), error
else:
    raise AssertionError("Client.local() worked without its extra")

command = subprocess.run(
    ["bare/bin/finetune", "--help"], check=False, capture_output=True, text=True
)
assert command.returncode == 1 and "finetune-client[cli]" in command.stderr, command
print("bare install: ok")
