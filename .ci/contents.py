"""Check that a wheel holds the package and nothing else, and a source archive the whole tree.

usage: contents.py DIST TREE   (a folder with one of each; the tree that they were built from)
"""

import sys
import tarfile
import zipfile
from pathlib import Path

dist, tree = map(Path, sys.argv[1:])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in folder.rglob("*") if path.is_file()}


(wheel,) = dist.glob("*.whl")
(archive,) = dist.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as opened:
    in_wheel = {name for name in opened.namelist() if ".dist-info/" not in name}
with tarfile.open(archive) as opened:
    in_archive = {name.partition("/")[2] for name in opened.getnames()} - {"PKG-INFO"}

package = files(tree / "finetune_client")
assert {"finetune_client/py.typed", "finetune_client/__init__.pyi"} <= package
assert in_wheel == package, f"wheel: {sorted(in_wheel ^ package)}"
assert in_archive == files(tree), f"source archive: {sorted(in_archive ^ files(tree))}"
print(f"{wheel.name}: {len(in_wheel)} files, {archive.name}: {len(in_archive)} files")
