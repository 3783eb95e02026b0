"""How long short commands take, from start to exit, beside a bare interpreter: `python -m benchmarks.startup`.

A plain runtime is served meanwhile; `cosi get rd` connects, resolves the type, lists, and prints a table with a column
found by JSONPath. Prints milliseconds as JSON: the median and the minimum of all rounds, and the ratio to the bare
interpreter's median.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 31
BIN = Path(sys.executable).parent
COMMANDS: dict[str, list[str | Path]] = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "import grpc": [sys.executable, "-c", "import grpc"],
    "cosi --help": [BIN / "cosi", "--help"],
    "cosi get rd": [BIN / "cosi", "get", "rd"],
    "cosi get rd -o yaml": [BIN / "cosi", "get", "rd", "-o", "yaml"],
}
START_SECONDS = 0.05


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "COSI_SOCKET": f"{directory}/cosi.sock"}
        server = subprocess.Popen([BIN / "cosi", "serve"], env=environment, stderr=subprocess.DEVNULL)
        try:
            while subprocess.run(COMMANDS["cosi get rd"], env=environment, capture_output=True).returncode:
                time.sleep(START_SECONDS)
            # Interleaved, so that a noisy moment hits all of them alike.
            times: dict[str, list[float]] = {name: [] for name in COMMANDS}
            for _ in range(ROUNDS):
                for name, command in COMMANDS.items():
                    begun = time.perf_counter()
                    subprocess.run(command, env=environment, capture_output=True, check=True)
                    times[name].append((time.perf_counter() - begun) * 1000)
        finally:
            server.terminate()
            server.wait()
    bare = statistics.median(times["bare interpreter"])
    report = {
        name: {
            "median_ms": round(statistics.median(taken)),
            "min_ms": round(min(taken)),
            "ratio": round(statistics.median(taken) / bare, 1),
        }
        for name, taken in times.items()
    }
    print(json.dumps(report, indent=4))


if __name__ == "__main__":
    main()
