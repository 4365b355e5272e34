-- What came back after it was gone, newest first, and the release it came back with.
CREATE OR REPLACE VIEW regressions AS
SELECT
  p.detected_at AS detected_at, p.environment AS environment, p.service AS service,
  p.error_type AS error_type, p.fingerprint AS fingerprint, p.count AS errors,
  e.release AS release, p.reason AS reason, p.pattern_id AS pattern_id
FROM patterns AS p
LEFT JOIN (
  SELECT event_id, any(release) AS release FROM errors
  WHERE event_id IN (SELECT arrayJoin(evidence) FROM pattern_log WHERE kind = 'regression')
  GROUP BY event_id
) AS e ON e.event_id = p.evidence[1]
WHERE p.kind = 'regression' AND p.count > 0
ORDER BY detected_at DESC;
