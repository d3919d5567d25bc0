"""HTTP/1.1 without input or output: what a server reads and writes, as bytes and facts."""
