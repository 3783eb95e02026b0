"""A client that makes talosctl's calls, in its order and with its metadata, on an HTTP/2 of another make."""
