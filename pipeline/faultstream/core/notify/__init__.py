"""Who is told what, and when: routing, grouping, inhibition, silences, escalation, limits."""
