"""The services of Talos that this node serves at its network door."""
