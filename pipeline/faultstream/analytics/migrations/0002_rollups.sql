-- Sums that outlive the rows of `errors`. A materialized view is not atomic with its table, so
-- every row carries the highest offset that is in it; the recorder adds what is above on start.
-- They are kept by the day of storing, not of happening, so that old events replayed are kept too.
CREATE TABLE IF NOT EXISTS errors_per_minute (
  minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  environment LowCardinality(String),
  service LowCardinality(String),
  category LowCardinality(String),
  severity Enum8('low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4, 'fatal' = 5),
  stored_on Date,
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  errors SimpleAggregateFunction(sum, UInt64),
  records SimpleAggregateFunction(sum, UInt64),
  last_offset SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (service, minute, environment, category, severity, stored_on, log_id, topic,
  partition)
TTL stored_on + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS errors_per_minute_feed TO errors_per_minute AS
SELECT
  toDateTime(toStartOfMinute(time), 'UTC') AS minute, toDate(ingested_at) AS stored_on,
  environment, service, category, severity, log_id, topic, partition,
  sum(count) AS errors, count() AS records, max(offset) AS last_offset
FROM errors
GROUP BY minute, stored_on, environment, service, category, severity, log_id, topic, partition;

CREATE TABLE IF NOT EXISTS fingerprints_per_hour (
  hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  environment LowCardinality(String),
  service LowCardinality(String),
  fingerprint LowCardinality(String),
  error_type LowCardinality(String),
  category LowCardinality(String),
  stored_on Date,
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  errors SimpleAggregateFunction(sum, UInt64),
  records SimpleAggregateFunction(sum, UInt64),
  first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
  template SimpleAggregateFunction(anyLast, String),
  event_id SimpleAggregateFunction(anyLast, String),
  last_offset SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (service, hour, fingerprint, environment, error_type, category, stored_on, log_id,
  topic, partition)
TTL stored_on + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS fingerprints_per_hour_feed TO fingerprints_per_hour AS
SELECT
  toDateTime(toStartOfHour(time), 'UTC') AS hour, toDate(ingested_at) AS stored_on,
  environment, service, fingerprint, error_type, category, log_id, topic, partition,
  sum(count) AS errors, count() AS records, min(time) AS first_at, max(time) AS last_at,
  anyLast(toString(errors.template)) AS template, anyLast(errors.event_id) AS event_id,
  max(offset) AS last_offset
FROM errors
GROUP BY hour, stored_on, environment, service, fingerprint, error_type, category, log_id, topic,
  partition;
