# What a driver of tests (bridges/testing) says in the extensions of the lifespan's scope.

WORKERS = "greenroom.workers"
"""What runs `def` handlers, in place of threads."""
DRIVER = "greenroom.driver"
"""That it is one: no other process can look into its tree, and none should find it by chance."""
