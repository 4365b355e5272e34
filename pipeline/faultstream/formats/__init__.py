"""Bytes to ErrorEvent, one file per format."""
