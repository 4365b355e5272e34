-- Workflows, signs of life, traces of patterns, and what notifications say beside their text.

ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS traces Array(String) AFTER evidence;
ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS parents Array(String) AFTER traces;

ALTER TABLE incident_log MODIFY COLUMN attempts Array(Tuple(
  command_id String, strategy String, outcome String, reason String, step_id String,
  rollback_of String));

ALTER TABLE command_log ADD COLUMN IF NOT EXISTS workflow LowCardinality(String) AFTER step;
ALTER TABLE command_log ADD COLUMN IF NOT EXISTS step_id LowCardinality(String) AFTER workflow;
ALTER TABLE command_log ADD COLUMN IF NOT EXISTS timeout_ms UInt64 AFTER expires_at;

ALTER TABLE result_log ADD COLUMN IF NOT EXISTS step String AFTER status;
ALTER TABLE result_log ADD COLUMN IF NOT EXISTS progress_ratio Nullable(Float64) AFTER step;

ALTER TABLE notification_log
  ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT 'firing' AFTER level;
ALTER TABLE notification_log ADD COLUMN IF NOT EXISTS labels Map(String, String) AFTER reason;
