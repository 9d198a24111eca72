"""Print a constraints file with the lowest version of each requirement of the package itself.

The tools of the extra ``dev`` are left as they are: they check the package, users don't run them.
So is ``llm``, which has an environment of its own and is tested with the versions that its docs name.
"""

import re
import sys

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]

wanted = list(project["dependencies"])
for extra, requirements in project["optional-dependencies"].items():
    if extra not in {"all", "dev", "llm"}:
        wanted += [one for one in requirements if not one.startswith("finetune-client[")]
for requirement in wanted:
    name, version = re.match(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement).groups()
    print(f"{name}=={version}")
