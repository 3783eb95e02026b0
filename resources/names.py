"""The namespaces the node's resources live in, and the domain of the types that are ours."""

from __future__ import annotations

from typing import Final

CLUSTER: Final = "cluster"
CONFIG: Final = "config"
CRI: Final = "cri"
NETWORK: Final = "network"
RUNTIME: Final = "runtime"

DESCRIPTIONS: Final = {
    CLUSTER: "The nodes that this one knows.",
    CONFIG: "What the node is told to be.",
    CRI: "Where container images come from.",
    NETWORK: "What the node is called.",
    RUNTIME: "What the node does and has: extensions, boot images.",
}
"""The namespaces as they are announced."""

DOMAIN: Final = "extensions.cosi.dev"
