from __future__ import annotations

import subprocess
import sys


def test_main__without_its_extra_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['click'] = None\nfrom finetune_client.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "The command finetune needs the package click, which is not installed. "
        "Install it with: pip install 'finetune-client[cli]'\n"
    )
