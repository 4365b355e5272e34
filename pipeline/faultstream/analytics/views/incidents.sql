-- Every incident once, as its latest revision says. After a crash revisions are made anew, later
-- and maybe fewer: those that it undid are older than the latest, whatever their number.
CREATE OR REPLACE VIEW incidents AS
SELECT * FROM incident_log
ORDER BY incident_id, updated_at DESC, revision DESC, offset DESC LIMIT 1 BY incident_id;
