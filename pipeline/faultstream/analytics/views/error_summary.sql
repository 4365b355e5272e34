-- Errors by service and hour, the last 24 hours. Folded events count with their weight; experiments
-- are left out.
CREATE OR REPLACE VIEW error_summary AS
SELECT
  toStartOfHour(minute) AS hour, environment, service,
  sum(e.errors) AS errors, sum(e.records) AS records,
  sumIf(e.errors, severity IN ('critical', 'fatal')) AS grave,
  topKWeighted(1)(category, e.errors)[1] AS main_category,
  uniqExact(minute) AS minutes_with_errors
FROM errors_per_minute AS e
WHERE minute >= now() - toIntervalHour(24) AND NOT experiment
GROUP BY hour, environment, service
ORDER BY hour DESC, errors DESC;
