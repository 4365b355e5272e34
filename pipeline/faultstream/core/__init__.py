"""The pure core: no clock, no chance, no I/O. Same input, same output, byte for byte."""
