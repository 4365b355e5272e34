-- Time to detect (first error to incident) and to recover (first error to resolved), in seconds,
-- by root service and severity; experiments are left out.
CREATE OR REPLACE VIEW mttd_mttr AS
SELECT
  environment, root AS service, severity,
  count() AS incidents, countIf(resolved_at IS NOT NULL) AS resolved,
  countIf(state = 'escalated') AS escalated,
  round(avg(detect_ms) / 1000, 3) AS mttd_s,
  round(quantile(0.9)(detect_ms) / 1000, 3) AS mttd_p90_s,
  round(avgIf(recover_ms, resolved_at IS NOT NULL) / 1000, 3) AS mttr_s,
  round(quantileIf(0.9)(recover_ms, resolved_at IS NOT NULL) / 1000, 3) AS mttr_p90_s
FROM (
  SELECT
    environment, root, severity, state, resolved_at,
    greatest(0, dateDiff('millisecond', first_error_at, opened_at)) AS detect_ms,
    ifNull(greatest(0, dateDiff('millisecond', first_error_at, resolved_at)), 0) AS recover_ms
  FROM incidents WHERE experiment_id = ''
)
GROUP BY environment, root, severity
ORDER BY incidents DESC, service;
