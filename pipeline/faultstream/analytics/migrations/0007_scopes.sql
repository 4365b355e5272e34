-- The one operation or dependency that nearly all events of a pattern name.

ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS operation LowCardinality(String);
ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS dependency LowCardinality(String);
