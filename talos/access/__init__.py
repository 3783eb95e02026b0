"""Who may do what on a node: roles, the authority that certifies them, and the file that talosctl logs in with."""
