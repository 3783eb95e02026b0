"""Ten extensions of 20 MB from a registry to an initramfs, beside the same by hand: `python -m benchmarks.image_build`.

By hand is image_by_hand.sh: skopeo, tar, mksquashfs, cpio and zstd. Both pull from one registry on this machine; each
round runs both from nothing, then ours again with nothing changed. Prints JSON: medians in seconds, their ratio, the
peak of memory that our processes held together (proportional sets, sampled). During the second run the registry has no
layers any more, so it would fail if it asked for one byte of them.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.talos.extensions import archives, boot_files
from tests.talos.registry_server import RegistryServer, running_registry

ROUNDS = 3
EXTENSIONS = 10
FILES_EACH = 20
FILE_BYTES = 1024 * 1024
SAMPLE_SECONDS = 0.02
BIN = Path(sys.executable).parent
BY_HAND = Path(__file__).with_name("image_by_hand.sh")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        boot_files.initramfs(directory)
        (directory / "registry").mkdir()
        with running_registry(directory / "registry") as registry:
            references = _push(directory / "images", registry)
            print(json.dumps(_measure(directory, references, registry), indent=4))


def _push(layout: Path, registry: RegistryServer) -> Sequence[str]:
    words = random.Random(1)  # the same bytes each time
    references = []
    for number in range(EXTENSIONS):
        members = [
            archives.file(f"rootfs/usr/local/lib/e{number}/{index}", _binary(words)) for index in range(FILES_EACH)
        ]
        archives.image(layout, str(number), [archives.extension(*members)])
        registry.push(layout, str(number), f"e{number}", as_tag="v1")
        references.append(f"{registry.host}/e{number}:v1")
    return references


def _binary(words: random.Random) -> bytes:
    """Return bytes that pack about as well as programs do: to a half."""
    return b"".join(words.randbytes(64) + bytes(64) for _ in range(FILE_BYTES // 128))


def _measure(directory: Path, references: Sequence[str], registry: RegistryServer) -> dict[str, object]:
    ours, by_hand, again, peaks = [], [], [], []
    extensions = [word for reference in references for word in ("--extension", reference)]
    options: list[str | Path] = ["--initramfs", directory / "initramfs.img", "--output", directory / "ours.img"]
    cache = directory / "cache"
    build: list[str | Path] = [BIN / "machined", "image", "build", *options, "--cache", cache, *extensions]
    for _ in range(ROUNDS):
        shutil.rmtree(cache, ignore_errors=True)
        (directory / "ours.img").unlink(missing_ok=True)
        seconds, peak = _timed(build)
        ours.append(seconds)
        peaks.append(peak)
        with _without_layers(registry):
            again.append(_timed(build)[0])
        work = directory / "work"
        script: list[str | Path] = [
            "sh",
            BY_HAND,
            directory / "initramfs.img",
            directory / "hand.img",
            work,
            *references,
        ]
        by_hand.append(_timed(script)[0])
        shutil.rmtree(work)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, by_hand, strict=True))
    return {
        "ours_s": round(statistics.median(ours), 2),
        "by_hand_s": round(statistics.median(by_hand), 2),
        "ratio": round(ratio, 2),
        "again_s": round(statistics.median(again), 2),
        "peak_MiB": round(max(peaks) / 1024, 1),
    }


def _timed(command: Sequence[str | Path]) -> tuple[float, int]:
    """Run a command; return the seconds it took, and the peak of the KiB that it and its children held together."""
    begun, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(_held_kib, _family(process.pid))))
        time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed")
    return time.perf_counter() - begun, peak


def _family(pid: int) -> Sequence[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = [
            child
            for task in os.listdir(f"/proc/{pid}/task")
            if task != str(pid)
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        ]
    except OSError:
        return [pid]
    return [pid, *(each for child in {*children, *threads} for each in _family(int(child)))]


def _held_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # it has ended meanwhile
    return 0


@contextmanager
def _without_layers(registry: RegistryServer) -> Iterator[None]:
    """Take the layers out of the registry: whoever asks for a byte of one gets an error."""
    layers = [path for path in registry.storage.rglob("data") if path.stat().st_size > FILE_BYTES]
    assert len(layers) == EXTENSIONS
    for path in layers:
        path.rename(path.with_name("away"))
    try:
        yield
    finally:
        for path in layers:
            path.with_name("away").rename(path)


if __name__ == "__main__":
    main()
