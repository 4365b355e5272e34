-- What was found, newest first: how soon, for how long, how much, and in which incident.
CREATE OR REPLACE VIEW pattern_history AS
SELECT
  p.detected_at AS detected_at, p.environment AS environment, p.service AS service,
  p.kind AS kind, p.state AS state, p.severity AS severity, p.error_type AS error_type,
  p.category AS category, p.count AS errors,
  dateDiff('millisecond', p.first_at, p.detected_at) / 1000 AS detect_s,
  dateDiff('millisecond', p.first_at, ifNull(p.closed_at, p.last_at)) / 1000 AS length_s,
  p.confidence AS confidence, p.reason AS reason, i.incident_id AS incident_id,
  p.pattern_id AS pattern_id, p.fingerprint AS fingerprint, p.revision AS revisions
FROM patterns AS p
LEFT JOIN (
  SELECT incident_id, arrayJoin(pattern_ids) AS held_id FROM incidents
) AS i ON i.held_id = p.pattern_id
ORDER BY detected_at DESC;
