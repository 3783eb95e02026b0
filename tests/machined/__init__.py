"""The node itself, room by room as machined is."""
