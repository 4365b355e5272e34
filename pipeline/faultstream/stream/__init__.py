"""The four workers and the one loop that they share."""
