-- Words of a pattern's messages that may name who failed, and whether only its callers left.

ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS named Array(String);
ALTER TABLE pattern_log ADD COLUMN IF NOT EXISTS caller_left Bool;
