-- Each critical or fatal incident as a time in which the service that it began in was down. What is
-- open is down till now. Experiments and false alarms are left out.
CREATE OR REPLACE VIEW outages AS
SELECT
  environment, root AS service, incident_id, first_error_at AS began_at,
  multiIf(resolved_at IS NOT NULL, assumeNotNull(resolved_at), state IN ('resolved', 'closed'),
    updated_at, now64(3)) AS ended_at
FROM incidents
WHERE severity IN ('critical', 'fatal') AND experiment_id = '' AND NOT false_alarm
ORDER BY began_at DESC, incident_id;
