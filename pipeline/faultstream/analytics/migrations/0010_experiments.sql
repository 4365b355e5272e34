-- Whether errors belong to an experiment, so that sums can leave them out. Rows from before say no.
ALTER TABLE errors_per_minute
  ADD COLUMN IF NOT EXISTS experiment Bool,
  MODIFY ORDER BY (service, minute, environment, category, severity, stored_on, log_id, topic,
    partition, experiment);

ALTER TABLE errors_per_minute_feed MODIFY QUERY
SELECT
  toDateTime(toStartOfMinute(time), 'UTC') AS minute, toDate(ingested_at) AS stored_on,
  environment, service, category, severity, experiment_id != '' AS experiment, log_id, topic,
  partition, sum(count) AS errors, count() AS records, max(offset) AS last_offset
FROM errors
GROUP BY minute, stored_on, environment, service, category, severity, experiment, log_id, topic,
  partition;

ALTER TABLE fingerprints_per_hour
  ADD COLUMN IF NOT EXISTS experiment Bool,
  MODIFY ORDER BY (service, hour, fingerprint, environment, error_type, category, stored_on,
    log_id, topic, partition, experiment);

ALTER TABLE fingerprints_per_hour_feed MODIFY QUERY
SELECT
  toDateTime(toStartOfHour(time), 'UTC') AS hour, toDate(ingested_at) AS stored_on,
  environment, service, fingerprint, error_type, category, experiment_id != '' AS experiment,
  log_id, topic, partition, sum(count) AS errors, count() AS records, min(time) AS first_at,
  max(time) AS last_at, anyLast(toString(errors.template)) AS template,
  anyLast(errors.event_id) AS event_id, max(offset) AS last_offset
FROM errors
GROUP BY hour, stored_on, environment, service, fingerprint, error_type, category, experiment,
  log_id, topic, partition;
