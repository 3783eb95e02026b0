"""What the pages show of configs and patches is so."""

import re
from pathlib import Path

from talos.config.kinds import MODELS
from talos.config.machine_config import MachineConfig, parse
from talos.config.patching import apply, load_patch
from talos.config.registry_documents import KINDS
from talos.extensions.registries import Auth, Mirror, MirrorEndpoint, Tls
from tests.talos.config.refused import MACHINE

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


def parsed(text: str) -> MachineConfig:
    return parse(text.encode(), source="page")


def test_the_config_and_its_patch_are_good() -> None:
    config, patch = blocks("machine-config.md")

    patched = apply(config.encode(), [load_patch(patch.encode(), source="patch")], source="config").decode()

    assert [each.known for each in parsed(config).documents] == [True, True, False]
    assert parsed(patched).extensions == ("ghcr.io/siderolabs/hello-world-service:v1.0.0",)
    assert [each.label for each in parsed(patched).documents] == ["", 'RegistryMirrorConfig["ghcr.io"]']


def test_every_kind_that_is_checked_is_named() -> None:
    page = (DOCS / "machine-config.md").read_text()

    assert not [kind for kind in (*MODELS, *KINDS) if f"`{kind}`" not in page]


def test_documents_about_registries_are_good() -> None:
    _, documents = blocks("registries.md")

    said = parsed(f"{MACHINE}---\n{documents}").registries

    assert said.mirrors == {"ghcr.io": Mirror((MirrorEndpoint("https://cache.example/v2/all", True),), True)}
    assert said.auths == {"cache.example": Auth(identity_token="exchanged for a token")}
    assert said.tls == {"cache.example": Tls(insecure_skip_verify=True)}
