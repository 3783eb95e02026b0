"""The committed protocol code is what the .proto files say."""

from pathlib import Path

from tools.generate_protos import ROOT, generate


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    generate(tmp_path)

    committed = _files(ROOT / "cosi" / "_pb")

    assert _files(tmp_path) == committed, "run `make generate` and commit what changes"


def _files(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in sorted(directory.rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    }
