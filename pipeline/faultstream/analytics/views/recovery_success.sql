-- How often each strategy cured, judged by the stream and not by the executor. `surely_ratio` is
-- the lower end of Wilson's 95 % interval: what few tries prove. Undecided attempts, dry runs, what
-- nobody attempted (refused) and commands that took another one back are no tries. Experiments are
-- left out.
CREATE OR REPLACE VIEW recovery_success AS
WITH 1.96 AS z
SELECT
  strategy,
  countIf(outcome NOT IN ('pending', 'running', 'done', 'dry_run', 'cancelled', 'refused'))
    AS tries,
  countIf(outcome = 'cured') AS cured,
  countIf(outcome = 'recurring') AS recurring,
  countIf(outcome IN ('failed', 'partial')) AS failed,
  countIf(outcome IN ('worse', 'rolled_back')) AS worse,
  countIf(outcome = 'expired') AS expired,
  countIf(outcome = 'refused') AS refused,
  countIf(outcome IN ('pending', 'running', 'done')) AS undecided,
  if(tries = 0, NULL, round(cured / tries, 4)) AS cured_ratio,
  if(tries = 0, NULL, round(
    (cured / tries + z * z / (2 * tries)
      - z * sqrt(cured / tries * (1 - cured / tries) / tries + z * z / (4 * tries * tries)))
    / (1 + z * z / tries), 4)) AS surely_ratio,
  round(quantileOrNullIf(0.5)(took_ms, answers > 0) / 1000, 3) AS carried_out_p50_s,
  round(quantileOrNullIf(0.95)(took_ms, answers > 0) / 1000, 3) AS carried_out_p95_s
FROM (
  SELECT a.strategy AS strategy, a.outcome AS outcome, r.took_ms AS took_ms, r.answers AS answers
  FROM incident_attempts AS a
  LEFT JOIN (
    SELECT command_id, max(duration_ms) AS took_ms, count() AS answers
    FROM results WHERE status != 'in_progress' GROUP BY command_id
  ) AS r ON r.command_id = a.command_id
  WHERE a.rollback_of = ''
    AND a.incident_id IN (SELECT incident_id FROM incidents WHERE experiment_id = '')
)
GROUP BY strategy
ORDER BY tries DESC, strategy;
