"""Why each resource is as it is: what controllers wrote, in which reconcile, and what had woken them."""
