"""Generate cosi/_pb from proto/: the one way the committed code is made.

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
PACKAGE = "cosi._pb"


def generate(output: Path) -> None:
    """Write the generated modules for every .proto file under proto/ into `output`."""
    protos = sorted(path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("*.proto"))
    output.mkdir(parents=True, exist_ok=True)
    well_known = Path(grpc_tools.__path__[0]) / "_proto"
    includes = [f"-I{ROOT / 'proto'}", f"-I{well_known}"]
    arguments = ["protoc", *includes, f"--python_out={output}", f"--pyi_out={output}", *protos]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    directories = {(output / proto).parent for proto in protos}
    for directory in {output, *directories}:
        (directory / "__init__.py").write_text('"""Generated from proto/ by tools/generate_protos.py."""\n')
        for module in (*directory.glob("*.py"), *directory.glob("*.pyi")):
            module.write_text(_rewrite_imports(module.read_text()))


def _rewrite_imports(text: str) -> str:
    return re.sub(r"^from (v1alpha1) import", rf"from {PACKAGE}.\1 import", text, flags=re.MULTILINE)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "cosi" / "_pb")
