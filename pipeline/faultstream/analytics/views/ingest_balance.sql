-- What became of the records of each log: rows of `errors`, refused ones, and offsets of which
-- nothing is known. `errors` is the sum of weights, `summed` the same from the rollup: equal
-- unless the rollup is older than the rows' retention.
CREATE OR REPLACE VIEW ingest_balance AS
SELECT
  b.log_id AS log_id, b.topic AS topic, b.recorded AS recorded, b.errors AS errors,
  r.summed AS summed, s.refused AS refused, s.missing AS missing,
  b.recorded + s.refused + s.missing AS offsets
FROM (
  SELECT log_id, topic, toInt64(count()) AS recorded, sum(count) AS errors
  FROM errors GROUP BY log_id, topic
) AS b
INNER JOIN (
  SELECT log_id, topic, sum(m.errors) AS summed FROM errors_per_minute AS m GROUP BY log_id, topic
) AS r ON r.log_id = b.log_id AND r.topic = b.topic
INNER JOIN (
  SELECT log_id, topic, sum(o.refused) AS refused, sum(ifNull(o.holes, 0)) AS missing
  FROM sink_offsets AS o GROUP BY log_id, topic
) AS s ON s.log_id = b.log_id AND s.topic = b.topic;
