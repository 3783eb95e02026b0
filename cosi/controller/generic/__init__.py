"""Controllers that are most of a controller already: transforms, cleanup, destroy. They know no more than any other."""
