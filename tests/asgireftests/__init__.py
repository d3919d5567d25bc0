"""asgiref's own tests on trio; see run.py."""
