-- Whether a person closed an incident and said that nothing was wrong.

ALTER TABLE incident_log ADD COLUMN IF NOT EXISTS false_alarm Bool;
