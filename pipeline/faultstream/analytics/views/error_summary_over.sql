-- As error_summary, for any number of hours: SELECT * FROM error_summary_over(hours = 72)
CREATE OR REPLACE VIEW error_summary_over AS
SELECT
  toStartOfHour(minute) AS hour, environment, service,
  sum(e.errors) AS errors, sum(e.records) AS records,
  sumIf(e.errors, severity IN ('critical', 'fatal')) AS grave,
  topKWeighted(1)(category, e.errors)[1] AS main_category,
  uniqExact(minute) AS minutes_with_errors
FROM errors_per_minute AS e
WHERE minute >= now() - toIntervalHour({hours:UInt32}) AND NOT experiment
GROUP BY hour, environment, service
ORDER BY hour DESC, errors DESC;
