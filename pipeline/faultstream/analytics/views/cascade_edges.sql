-- Along which dependencies errors spread, from the service that fails to the one that suffers: how
-- often, and how long it takes.
CREATE OR REPLACE VIEW cascade_edges AS
SELECT
  environment, edge.source AS source, edge.target AS target,
  count() AS cascades, sum(edge.count) AS errors,
  quantile(0.5)(edge.lag_ms) / 1000 AS lag_p50_s, max(last_at) AS last_at
FROM patterns ARRAY JOIN edges AS edge
WHERE kind = 'cascade' AND count > 0
GROUP BY environment, source, target
ORDER BY cascades DESC, source, target;
