"""Reports of single tools in the form in which each of them writes it, one module per tool: bytes in, `Spoken` out."""
