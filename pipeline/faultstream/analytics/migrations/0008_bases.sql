-- The ancestors of an error's type, nearest first, as its client told them.

ALTER TABLE errors ADD COLUMN IF NOT EXISTS bases Array(LowCardinality(String)) CODEC(ZSTD(1));
