-- How far each partition of the log is stored. `holes` are offsets of the errors and dead-letters
-- topics that are neither rows nor refused records; more than 0 means that something was lost (or
-- that a producer wrote transactions, whose marks take offsets). The other topics' rows replace
-- each other, so holes are not told.
CREATE OR REPLACE VIEW sink_offsets AS
SELECT
  o.log_id AS log_id, o.topic AS topic, o.partition AS partition, o.first_offset AS first_offset,
  o.last_offset AS last_offset, o.records AS records, d.refused AS refused,
  if(o.exact, toInt64(o.last_offset - o.first_offset + 1) - o.records - d.refused, NULL) AS holes,
  ifNull(holes != 0, false) AS alarm
FROM (
  SELECT log_id, topic, partition, min(offset) AS first_offset, max(offset) AS last_offset,
    toInt64(count()) AS records, true AS exact
  FROM errors GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), true
  FROM dead_letter_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM pattern_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM incident_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM command_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM result_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM notification_log GROUP BY log_id, topic, partition
  UNION ALL
  SELECT log_id, topic, partition, min(offset), max(offset), toInt64(count()), false
  FROM notification_decision_log GROUP BY log_id, topic, partition
) AS o
LEFT JOIN (
  SELECT e.log_id AS log_id, e.topic AS topic, e.partition AS partition,
    toInt64(uniqExactIf(d.original_offset,
      d.original_offset BETWEEN e.first_offset AND e.last_offset)) AS refused
  FROM (
    SELECT log_id, topic, partition, toInt64(min(offset)) AS first_offset,
      toInt64(max(offset)) AS last_offset
    FROM errors GROUP BY log_id, topic, partition
  ) AS e
  INNER JOIN dead_letter_log AS d
  ON d.log_id = e.log_id AND d.original_topic = e.topic
    AND d.original_partition = toInt32(e.partition)
  GROUP BY log_id, topic, partition
) AS d ON d.log_id = o.log_id AND d.topic = o.topic AND d.partition = o.partition
ORDER BY topic, partition;
