"""Hold our client against the official Python SDK, the newest one on PyPI.

In an environment of its own, with the SDK's source distribution:

1. its own API tests for fine-tuning, files, uploads and models run on the official client and on
   ours (see ``shim.py``): those that do not pass must stand in ``docs/compatibility.md``, and the
   requests that both clients send must be the same;
2. the calls that scripts make are made on both clients, and must send the same requests (see
   ``compare_requests.py``);
3. both, and plain requests, meet a server that fails, and do what that page says (see
   ``behaviour.py``);
4. its signatures are compared with what that page was made from (see ``signatures.py``);
5. it goes through the whole life of a job on our server (see ``life.py``), and asks models there,
   whole and as a stream (``tests/local/test_official_sdk.py``);
6. what is made for it takes our client instead: wandb's logger (see ``wandb_logger.py``).

Where PyPI cannot be reached, it says so and is skipped. ``--write`` updates the signatures.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
API_TESTS = [
    f"tests/api_resources/{name}"
    for name in ("test_files.py", "test_models.py", "test_uploads.py", "uploads", "fine_tuning")
]
LEAST_PASSED = 105


def main() -> int:
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        found = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
                *("--no-binary", ":all:", "-d", str(work), "openai"),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if found.returncode:
            print("skipped: the official SDK cannot be had from PyPI:", found.stderr.strip()[-300:])
            return 0
        [archive] = work.glob("openai-*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(work, filter="data")
        sdk = work / archive.name.removesuffix(".tar.gz")
        print("the official SDK:", sdk.name)
        python = environment(work, sdk.name.replace("-", "==", 1))
        passed = compare_tests(python, sdk, work)
        for script in (
            ["compare_requests.py"],
            ["behaviour.py"],
            ["signatures.py", *sys.argv[1:]],
            ["life.py"],
            ["wandb_logger.py"],
        ):
            done = subprocess.run(
                [python, str(HERE / script[0]), *script[1:]], check=False, cwd=work
            )
            passed &= done.returncode == 0
        # Without pytest-asyncio: some releases warn at once, and our settings make that an error.
        server_tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
        server_tests += ["tests/local/test_official_sdk.py"]
        passed &= subprocess.run(server_tests, check=False, cwd=ROOT).returncode == 0
        return 0 if passed else 1


def environment(work: Path, requirement: str) -> str:
    """Return the Python of an environment with the official SDK and our package."""
    subprocess.run([sys.executable, "-m", "venv", str(work / "env")], check=True)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    python = str(work / "env" / folder / "python")
    needed = [requirement, "pytest", "pytest-asyncio", "rich", "wandb", "pandas"]
    needed += [
        "hypothesis",
        "openapi-schema-validator",
        "pytest-socket",
        "pytest-timeout",
        f"{ROOT}[local]",
    ]
    subprocess.run([python, "-m", "pip", "install", "-q", *needed], check=True)
    return python


def compare_tests(python: str, sdk: Path, work: Path) -> bool:
    """Run the tests on both clients; return whether all is as the page says."""
    official, sent_officially = run_tests(python, sdk, work, "openai")
    ours, sent = run_tests(python, sdk, work, "finetune_client")
    failed = sorted({name for name, outcome in ours.items() if outcome != "passed"})
    total = len(ours)
    print(f"the official SDK's tests: {total - len(failed)} of {total} pass on our client")
    section = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    section = section.partition("\n## The official SDK's own tests\n")[2].partition("\n## ")[0]
    known = sorted(re.findall(r"^\| `(\w+::test_\w+)` \|", section, re.MULTILINE))
    good = report("tests that do not pass, but for those in docs/compatibility.md", failed, known)
    good &= report(
        "official tests that the official client does not pass here",
        [name for name, outcome in official.items() if outcome != "passed"],
        [],
    )
    different = [
        test
        for test in sorted({*sent, *sent_officially})
        if sent.get(test) != sent_officially.get(test)
    ]
    for test in different:
        print(f"  {test}:\n    openai {sent_officially.get(test)}\n    ours   {sent.get(test)}")
    count = sum(map(len, sent.values()))
    print(f"requests: {count} in {len(sent)} tests, {len(different)} tests send others")
    return good and not different and total - len(failed) >= LEAST_PASSED


def report(what: str, found: list[str], expected: list[str]) -> bool:
    if found != expected:
        print(f"{what}: {found}, expected {expected}")
    return found == expected


def run_tests(
    python: str, sdk: Path, work: Path, client: str
) -> tuple[dict[str, str], dict[str, list[object]]]:
    """Run the sync tests on a client; return the outcome of each function, and what it sent."""
    settings, sent, outcomes = work / "pytest.ini", work / "sent.json", work / "outcomes.json"
    settings.write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = session\n"
        "addopts = --disable-warnings\n",
        encoding="utf-8",
    )
    subprocess.run(
        [
            *(python, "-m", "pytest", "-q", "-p", "shim", "-p", "no:cacheprovider", "--tb=short"),
            *("-c", str(settings), "--rootdir", str(sdk), "-k", "not Async", *API_TESTS),
        ],
        check=False,
        cwd=sdk,
        env={
            "PATH": "",
            "PYTHONPATH": str(HERE),
            "SHIM_CLIENT": client,
            "SHIM_OUTCOMES": str(outcomes),
            "SHIM_REQUESTS": str(sent),
        },
    )
    return (
        json.loads(outcomes.read_text(encoding="utf-8")),
        json.loads(sent.read_text(encoding="utf-8")),
    )


if __name__ == "__main__":
    sys.exit(main())
