# Where a worker of hypercorn keeps the root of the tree. By itself, since the application wants
# it also where hypercorn looks different inside, and nothing that derives from it can be imported.

STATE = "greenroom.root"
"""The key of the root in ``scope["state"]``, and so in the state of a worker."""
