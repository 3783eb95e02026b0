"""Who changes resources: controllers, and the engine that wakes them."""
