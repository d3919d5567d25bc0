"""The pages of the tree in Django's admin, and what they ask and do."""
