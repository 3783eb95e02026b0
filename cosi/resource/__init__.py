"""What a resource is: metadata, specs, definitions, queries, codecs."""
