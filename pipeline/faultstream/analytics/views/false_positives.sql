-- How often people called an incident a false alarm, by the service where it began and the kind of
-- pattern that opened it. What is over and nobody called false counts as true; experiments are
-- left out.
CREATE OR REPLACE VIEW false_positives AS
SELECT
  i.environment AS environment, i.root AS service, p.kind AS kind, count() AS incidents,
  countIf(i.false_alarm) AS false_alarms, round(false_alarms / incidents, 4) AS false_ratio,
  max(i.opened_at) AS last_opened_at
FROM incidents AS i
LEFT JOIN patterns AS p ON p.pattern_id = i.pattern_ids[1]
WHERE i.state IN ('resolved', 'closed') AND i.experiment_id = ''
GROUP BY environment, service, kind
ORDER BY false_alarms DESC, incidents DESC, service, kind;
