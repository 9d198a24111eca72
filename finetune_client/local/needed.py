"""What the embedded server needs beside the core, looked for before anything of it is imported."""

from __future__ import annotations

from importlib.util import find_spec

__all__: list[str] = []

for _name in ("flask", "numpy", "waitress"):
    if find_spec(_name) is None:
        raise ModuleNotFoundError(
            f"The embedded server needs the package {_name}, which is not installed. "
            "Install it with: pip install 'finetune-client[local]'",
            name=_name,
        )
