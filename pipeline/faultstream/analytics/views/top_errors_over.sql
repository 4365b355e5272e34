-- As top_errors, for any number of hours: SELECT * FROM top_errors_over(hours = 168)
CREATE OR REPLACE VIEW top_errors_over AS
SELECT
  environment, service, error_type, category, fingerprint, anyLast(f.template) AS template,
  sum(f.errors) AS errors, round(errors / sum(errors) OVER (), 4) AS share_ratio,
  min(f.first_at) AS first_at, max(f.last_at) AS last_at, anyLast(f.event_id) AS event_id
FROM fingerprints_per_hour AS f
WHERE hour >= toStartOfHour(now() - toIntervalHour({hours:UInt32})) AND NOT experiment
GROUP BY environment, service, error_type, category, fingerprint
ORDER BY errors DESC
LIMIT 100;
