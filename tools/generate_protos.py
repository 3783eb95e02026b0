"""Generate cosi/_pb and talos/_pb from proto/: the one way the committed code is made.

protoc names Python modules after the paths of the .proto files, so `v1alpha1/state.proto` would import a top-level
`v1alpha1`; the imports are rewritten into the package. The descriptors keep the upstream path, which is what
reflection clients and peers in other languages know.
"""

import re
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGES = {"cosi": ("v1alpha1",), "talos": ("common", "inspect", "machine")}
"""Whose code is made of which folders of proto/."""


def generate(owner: str, output: Path) -> None:
    """Write the modules of `owner`, cosi or talos, for every .proto file of its folders into `output`."""
    folders = PACKAGES[owner]
    protos = sorted(path.relative_to(PROTO).as_posix() for each in folders for path in (PROTO / each).rglob("*.proto"))
    output.mkdir(parents=True, exist_ok=True)
    well_known = Path(grpc_tools.__path__[0]) / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={output}", f"--pyi_out={output}", *protos]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    imports = re.compile(rf"^from ({'|'.join(folders)}) import", flags=re.MULTILINE)
    directories = {(output / proto).parent for proto in protos}
    for directory in {output, *directories}:
        (directory / "__init__.py").write_text('"""Generated from proto/ by tools/generate_protos.py."""\n')
        for module in (*directory.glob("*.py"), *directory.glob("*.pyi")):
            module.write_text(imports.sub(rf"from {owner}._pb.\1 import", module.read_text()))


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    for owner in PACKAGES:
        generate(owner, directory / owner / "_pb")
