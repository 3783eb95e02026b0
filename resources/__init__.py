"""The node's typed resources: one module a resource.

Those of Talos have Talos's names, fields and columns, so that `talosctl` shows them as it does on Talos. Those that
Talos has no word for are ours, under `extensions.cosi.dev`.
"""
