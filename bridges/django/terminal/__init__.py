"""What ``manage.py actors`` shows: the tree of a running server, in a terminal."""
