"""The committed protocol code is what the .proto files say."""

from pathlib import Path

import pytest

from tools.generate_protos import PACKAGES, PROTO, ROOT, generate


@pytest.mark.parametrize("owner", PACKAGES)
def test_generated_code_is_fresh(owner: str, tmp_path: Path) -> None:
    generate(owner, tmp_path)

    committed = _files(ROOT / owner / "_pb")

    assert _files(tmp_path) == committed, "run `make generate` and commit what changes"


def test_code_is_generated_of_every_folder() -> None:
    assert {each.name for each in PROTO.iterdir()} == {folder for folders in PACKAGES.values() for folder in folders}


def _files(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in sorted(directory.rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    }
