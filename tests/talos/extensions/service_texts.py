"""Service files that keep all rules, for tests of what is done with them."""


def service_text(name: str, *, more: str = "") -> bytes:
    """Return a service file for a service of this name, with more fields at its end."""
    return f"name: {name}\ncontainer:\n  entrypoint: bin/{name}\nrestart: never\n{more}".encode()
