"""Django's own test modules, run on trio: `python tests/djangotests/run.py async handlers`."""
