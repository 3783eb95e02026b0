"""Controllers and resource types that come from elsewhere: found, loaded, and reported by name if they can't be."""
