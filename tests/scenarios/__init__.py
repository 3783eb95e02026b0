"""A node in this process, real images, and what comes of them: one scenario a test."""
