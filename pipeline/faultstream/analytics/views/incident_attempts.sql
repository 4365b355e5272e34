-- Every attempt of every incident: its command, and what came of it in the stream's own eyes.
-- `decided_at` is when the present outcome first stood in the incident.
CREATE OR REPLACE VIEW incident_attempts AS
SELECT
  incident_id, environment, root, incident_state, opened_at, first_error_at,
  attempt.command_id AS command_id, attempt.strategy AS strategy, attempt.outcome AS outcome,
  attempt.reason AS reason, attempt.step_id AS step_id, attempt.rollback_of AS rollback_of,
  position, decided_at
FROM (
  SELECT
    incident_id, environment, root, state AS incident_state, opened_at, first_error_at,
    attempt, position
  FROM incidents ARRAY JOIN attempts AS attempt, arrayEnumerate(attempts) AS position
) AS latest
LEFT JOIN (
  SELECT
    incident_id, change.command_id AS changed_id, change.outcome AS changed_to,
    min(updated_at) AS decided_at
  FROM incident_log ARRAY JOIN attempts AS change
  GROUP BY incident_id, changed_id, changed_to
) AS history
ON history.incident_id = latest.incident_id AND history.changed_id = latest.attempt.command_id
  AND history.changed_to = latest.attempt.outcome;
