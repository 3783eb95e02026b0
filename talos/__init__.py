"""The words and mechanics of Talos Linux: paths and bytes in, values out; nothing here knows of resources."""
