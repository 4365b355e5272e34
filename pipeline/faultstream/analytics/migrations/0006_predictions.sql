-- What was predicted, until when, and whether it came true.

ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS expected_at Nullable(DateTime64(3, 'UTC'));
ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS due_at Nullable(DateTime64(3, 'UTC'));
ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS came_true Nullable(Bool);
