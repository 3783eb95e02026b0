"""The promises of every room, laid out as the rooms are."""
