"""Reports for people: one incident as a chain, runbooks, post-incident analyses. Pure."""
