"""
Engines: what carries group messages from process to process.

The contract is `greenroom.supervisor.Engine`; each engine is one file here.
"""

from ._local import LocalEngine as LocalEngine

__all__ = ["LocalEngine"]
