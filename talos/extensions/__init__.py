"""System extensions: from an image reference, over an inspected image, to a boot image and an activated root."""
