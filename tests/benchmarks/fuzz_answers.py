"""Every call of the client against 50,000 broken answers: only documented errors may come out.

python -m tests.benchmarks.fuzz_answers [CALLS [SEED]]
"""

from __future__ import annotations

import sys
import time

from tests.support.mutated_answers import Fuzz


def main() -> int:
    """Print what the calls ended in, and what they must not."""
    given = [int(one) for one in sys.argv[1:]]
    count, seed = (*given, *(50_000, 1)[len(given) :])
    begin = time.perf_counter()
    fuzz = Fuzz(seed)
    for end, number in fuzz.run(count).most_common():
        print(f"{number:7} {end}")
    print(f"{count} calls, seed {seed}, {time.perf_counter() - begin:.0f} s")
    for failure in fuzz.failures[:40]:
        print(failure)
    return 1 if fuzz.failures else 0


if __name__ == "__main__":
    sys.exit(main())
