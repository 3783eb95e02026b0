"""Everybody sees which documents the config has, and what is in them, but no secret."""

from pathlib import Path

import pytest

from resources import registries_config
from resources.config_document import ConfigDocument
from resources.registries_config import RegistriesConfig
from tests.scenarios.node import Site, until, until_gone

pytestmark = pytest.mark.anyio

CONFIG = """\
version: v1alpha1
machine: {token: hunter2-correct}
---
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: ghcr.io # through the lab's cache
endpoints: [{url: "http://10.0.0.5:5000", overridePath: true}]
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: 10.0.0.5:5000
username: node
password: hunter2-correct
---
apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_each_document_is_a_resource_without_its_secrets(site: Site) -> None:
    site.config.write_text(CONFIG)

    async with site.node() as state:
        auth = await until(state, ConfigDocument, "RegistryAuthConfig.10.0.0.5:5000", lambda _: True)
        await until(state, ConfigDocument, "VolumeConfig.EPHEMERAL", lambda _: True)
        documents = await state.list(ConfigDocument)

    assert [(each.id, each.spec.name, each.spec.known) for each in documents] == [
        ("RegistryAuthConfig.10.0.0.5:5000", "10.0.0.5:5000", True),
        ("RegistryMirrorConfig.ghcr.io", "ghcr.io", True),
        ("VolumeConfig.EPHEMERAL", "EPHEMERAL", False),
        ("v1alpha1", "", True),
    ]
    assert auth.spec.document == (
        "apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: 10.0.0.5:5000\nusername: node\npassword: '******'\n"
    )
    assert not any("hunter2" in each.spec.document for each in documents)
    assert not ConfigDocument.definition.sensitive


async def test_documents_about_registries_are_in_force(site: Site) -> None:
    site.config.write_text(CONFIG)

    async with site.node() as state:
        said = await until(state, RegistriesConfig, registries_config.ID, lambda _: True)

    registries = said.spec.registries
    assert [each.url for each in registries.mirrors["ghcr.io"].endpoints] == ["http://10.0.0.5:5000"]
    assert registries.auths["10.0.0.5:5000"].username == "node"


async def test_a_document_that_is_taken_out_goes(site: Site) -> None:
    site.config.write_text(CONFIG)

    async with site.node() as state:
        await until(state, ConfigDocument, "VolumeConfig.EPHEMERAL", lambda _: True)
        site.config.write_text(CONFIG[: CONFIG.rindex("---")])
        await until_gone(state, ConfigDocument, "VolumeConfig.EPHEMERAL")
