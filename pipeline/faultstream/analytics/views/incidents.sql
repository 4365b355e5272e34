-- Every incident once, as its latest revision says.
CREATE OR REPLACE VIEW incidents AS
SELECT * FROM incident_log ORDER BY incident_id, revision DESC, offset DESC LIMIT 1 BY incident_id;
