-- One row per record of the errors topic. `count` is how many errors the row stands for.
-- The partition is the day on which the row was stored, the same for all rows of an INSERT, so
-- that an INSERT is one part: all of it is there or nothing.
CREATE TABLE IF NOT EXISTS errors (
  event_id String CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  environment LowCardinality(String),
  service LowCardinality(String),
  layer LowCardinality(String),
  host LowCardinality(String),
  instance LowCardinality(String),
  release LowCardinality(String),
  operation LowCardinality(String),
  component LowCardinality(String),
  function LowCardinality(String),
  error_type LowCardinality(String),
  message String CODEC(ZSTD(1)),
  template LowCardinality(String),
  domain LowCardinality(String),
  category LowCardinality(String),
  severity Enum8('low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4, 'fatal' = 5),
  transient Bool,
  confidence Float32,
  rule LowCardinality(String),
  fingerprint LowCardinality(String),
  system_fingerprint LowCardinality(String),
  fingerprint_version LowCardinality(String),
  count UInt32 CODEC(T64, LZ4),
  handled Nullable(Bool),
  recoverable Nullable(Bool),
  retry_count Nullable(Int64),
  max_retries Nullable(Int64),
  http_status Nullable(Int32),
  request_id String CODEC(ZSTD(1)),
  user_id String CODEC(ZSTD(1)),
  session_id String CODEC(ZSTD(1)),
  trace_id String CODEC(ZSTD(1)),
  span_id String CODEC(ZSTD(1)),
  parent_event_id String CODEC(ZSTD(1)),
  correlation_id String CODEC(ZSTD(1)),
  experiment_id LowCardinality(String),
  tags Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  causes String CODEC(ZSTD(1)),
  frames String CODEC(ZSTD(1)),
  cut Array(LowCardinality(String)),
  record_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16 CODEC(T64, LZ4),
  offset UInt64 CODEC(DoubleDelta, LZ4),
  INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_fingerprint fingerprint TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX by_offset offset TYPE minmax GRANULARITY 1,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = MergeTree
PARTITION BY toDate(ingested_at)
ORDER BY (toStartOfHour(time), service, fingerprint, time)
TTL ingested_at + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

-- What the workers refused. Exactly one row per record of the dead-letters topic; a refusal may
-- stand there twice after a crash, so ask the view `dead_letters`.
CREATE TABLE IF NOT EXISTS dead_letter_log (
  time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  stage LowCardinality(String),
  error_type LowCardinality(String),
  reason String CODEC(ZSTD(1)),
  consumer_group LowCardinality(String),
  attempt UInt32,
  first_failed_at Nullable(DateTime64(3, 'UTC')),
  last_failed_at Nullable(DateTime64(3, 'UTC')),
  original_topic LowCardinality(String),
  original_partition Int32,
  original_offset Int64,
  original_time Nullable(DateTime64(3, 'UTC')),
  key String CODEC(ZSTD(1)),
  value String CODEC(ZSTD(1)),
  value_bytes UInt64,
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64 CODEC(DoubleDelta, LZ4),
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = MergeTree
PARTITION BY toDate(ingested_at)
ORDER BY (original_topic, original_partition, original_offset)
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;
