-- Every refused record once per worker that refused it.
CREATE OR REPLACE VIEW dead_letters AS
SELECT * FROM dead_letter_log
ORDER BY log_id, original_topic, original_partition, original_offset, offset
LIMIT 1 BY log_id, original_topic, original_partition, original_offset, consumer_group;
