-- The records behind the errors. A record may stand in the log twice (after a crash it is sent
-- again with the same id), so the latest offset replaces; ask the views patterns, incidents,
-- commands, results and notifications, which show each thing once.

CREATE TABLE IF NOT EXISTS pattern_log (
  pattern_id String,
  revision UInt32,
  kind LowCardinality(String),
  state LowCardinality(String),
  environment LowCardinality(String),
  service LowCardinality(String),
  layer LowCardinality(String),
  fingerprint String,
  error_type LowCardinality(String),
  category LowCardinality(String),
  severity Enum8('low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4, 'fatal' = 5),
  transient Bool,
  first_at DateTime64(3, 'UTC'),
  last_at DateTime64(3, 'UTC'),
  detected_at DateTime64(3, 'UTC'),
  closed_at Nullable(DateTime64(3, 'UTC')),
  count UInt64,
  rate Float64,
  baseline Float64,
  confidence Float64,
  affected_services Array(LowCardinality(String)),
  affected_layers Array(LowCardinality(String)),
  edges Array(Tuple(source String, target String, lag_ms Int64, count UInt64)),
  root LowCardinality(String),
  evidence Array(String),
  suggested_actions Array(LowCardinality(String)),
  reason String CODEC(ZSTD(1)),
  experiment_id LowCardinality(String),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toDate(ingested_at)
ORDER BY (pattern_id, revision)
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE IF NOT EXISTS incident_log (
  incident_id String,
  revision UInt32,
  state LowCardinality(String),
  severity Enum8('low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4, 'fatal' = 5),
  environment LowCardinality(String),
  root LowCardinality(String),
  pattern_ids Array(String),
  attempts Array(Tuple(command_id String, strategy String, outcome String, reason String)),
  first_error_at DateTime64(3, 'UTC'),
  opened_at DateTime64(3, 'UTC'),
  updated_at DateTime64(3, 'UTC'),
  resolved_at Nullable(DateTime64(3, 'UTC')),
  reason String CODEC(ZSTD(1)),
  experiment_id LowCardinality(String),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toDate(ingested_at)
ORDER BY (incident_id, revision)
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE IF NOT EXISTS command_log (
  command_id String,
  incident_id String,
  attempt UInt32,
  step UInt32,
  strategy LowCardinality(String),
  parameters String CODEC(ZSTD(1)),
  environment LowCardinality(String),
  service LowCardinality(String),
  layer LowCardinality(String),
  instances Array(String),
  delivery LowCardinality(String),
  reason String CODEC(ZSTD(1)),
  priority LowCardinality(String),
  issued_at DateTime64(3, 'UTC'),
  expires_at DateTime64(3, 'UTC'),
  dry_run Bool,
  approved_by String,
  rollback_of String,
  experiment_id LowCardinality(String),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toDate(ingested_at)
ORDER BY command_id
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE IF NOT EXISTS result_log (
  result_id String,
  command_id String,
  incident_id String,
  environment LowCardinality(String),
  service LowCardinality(String),
  strategy LowCardinality(String),
  executor LowCardinality(String),
  instance LowCardinality(String),
  status LowCardinality(String),
  started_at DateTime64(3, 'UTC'),
  finished_at DateTime64(3, 'UTC'),
  duration_ms Int64,
  message String CODEC(ZSTD(1)),
  details String CODEC(ZSTD(1)),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toDate(ingested_at)
ORDER BY result_id
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE IF NOT EXISTS notification_log (
  notification_id String,
  group LowCardinality(String),
  level LowCardinality(String),
  title String CODEC(ZSTD(1)),
  body String CODEC(ZSTD(1)),
  environment LowCardinality(String),
  incident_id String,
  pattern_ids Array(String),
  step UInt32,
  reason String CODEC(ZSTD(1)),
  created_at DateTime64(3, 'UTC'),
  experiment_id LowCardinality(String),
  ingested_at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  log_id LowCardinality(String),
  topic LowCardinality(String),
  partition UInt16,
  offset UInt64,
  PROJECTION offsets (
    SELECT log_id, topic, partition, max(offset), min(offset), count()
    GROUP BY log_id, topic, partition
  )
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toDate(ingested_at)
ORDER BY notification_id
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';
