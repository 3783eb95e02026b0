"""The node's reconcilers: one module a controller. They decide, `talos` does the work, and they meet only in state."""
