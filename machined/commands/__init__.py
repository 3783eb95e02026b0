"""Groups of `machined`'s commands: options and words only; what they do is imported when it is done."""
