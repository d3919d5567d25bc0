"""The API of Channels 4 on top of ours, module for module: change the import, keep the code."""
