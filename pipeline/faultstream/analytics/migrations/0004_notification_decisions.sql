-- What was decided about notifications. Decisions are counted within an environment and log, so
-- that those made anew after a crash replace the ones that were lost; ask the view
-- notification_decisions.

CREATE TABLE IF NOT EXISTS notification_decision_log (
  decision_id String,
  kind LowCardinality(String),
  environment LowCardinality(String),
  decided_at DateTime64(3, 'UTC'),
  reason String CODEC(ZSTD(1)),
  notification_ids Array(String),
  message_id String,
  channel LowCardinality(String),
  receiver LowCardinality(String),
  group String CODEC(ZSTD(1)),
  level LowCardinality(String),
  title String CODEC(ZSTD(1)),
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
ORDER BY (log_id, decision_id)
TTL ingested_at + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000,
  deduplicate_merge_projection_mode = 'rebuild';
