-- One incident from end to end, one row per step: errors (the evidence), patterns, the incident's
-- states, commands, results, verification, notifications and what became of them.
--   SELECT * FROM incident_timeline WHERE incident_id = '...' ORDER BY at, step
CREATE OR REPLACE VIEW incident_timeline AS
WITH held AS (
  SELECT incident_id, first_error_at, arrayJoin(pattern_ids) AS pattern_id FROM incidents
)
SELECT incident_id, at, step, what, service, summary, id, after_s FROM (
  SELECT
    h.incident_id AS incident_id, e.time AS at, 1 AS step, 'error' AS what,
    toString(e.service) AS service,
    concat(e.error_type, ': ', substringUTF8(e.message, 1, 200),
      if(e.count > 1, concat(' (x', toString(e.count), ')'), '')) AS summary,
    e.event_id AS id, dateDiff('millisecond', h.first_error_at, at) / 1000 AS after_s
  FROM (
    SELECT h.incident_id AS incident_id, min(h.first_error_at) AS first_error_at,
      arrayJoin(p.evidence) AS event_id
    FROM held AS h INNER JOIN patterns AS p ON p.pattern_id = h.pattern_id
    GROUP BY incident_id, event_id
  ) AS h
  INNER JOIN (
    SELECT event_id, any(time) AS time, any(service) AS service, any(error_type) AS error_type,
      any(message) AS message, any(count) AS count
    FROM errors WHERE event_id IN (SELECT arrayJoin(evidence) FROM pattern_log)
    GROUP BY event_id
  ) AS e ON e.event_id = h.event_id
  UNION ALL
  SELECT
    h.incident_id, p.detected_at, 2, 'pattern', toString(p.service),
    concat(p.kind, ' ', p.error_type, ', ', toString(p.count), ' errors: ', p.reason),
    p.pattern_id, dateDiff('millisecond', h.first_error_at, p.detected_at) / 1000
  FROM held AS h INNER JOIN patterns AS p ON p.pattern_id = h.pattern_id
  UNION ALL
  SELECT
    l.incident_id, min(l.updated_at), 3, 'incident', toString(any(l.root)),
    concat(l.state, if(argMin(l.reason, l.revision) = '', '', ': '), argMin(l.reason, l.revision)),
    l.incident_id,
    dateDiff('millisecond', any(l.first_error_at), min(l.updated_at)) / 1000
  FROM incident_log AS l INNER JOIN incidents AS i ON i.incident_id = l.incident_id
  WHERE l.revision <= i.revision
  GROUP BY l.incident_id, l.state
  UNION ALL
  SELECT
    c.incident_id, c.issued_at, 4,
    multiIf(c.dry_run, 'command (dry run)', c.rollback_of != '', 'rollback', 'command'),
    toString(c.service),
    concat(if(c.step_id = '', '', concat(c.workflow, '/', c.step_id, ': ')), c.strategy, ' ',
      c.parameters, if(c.reason = '', '', ': '), c.reason), c.command_id,
    dateDiff('millisecond', i.first_error_at, c.issued_at) / 1000
  FROM commands AS c INNER JOIN incidents AS i ON i.incident_id = c.incident_id
  UNION ALL
  SELECT
    r.incident_id, r.finished_at, 5, if(r.status = 'in_progress', 'progress', 'result'),
    toString(if(r.service = '', i.root, r.service)),
    concat(r.strategy, if(r.strategy = '', '', ' '), r.status, ' by ', r.executor, if(r.instance = '', '', ' on '),
      r.instance, ' in ', toString(r.duration_ms), ' ms', if(r.step = '', '', ', '), r.step,
      if(r.message = '', '', ': '), r.message), r.result_id,
    dateDiff('millisecond', i.first_error_at, r.finished_at) / 1000
  FROM results AS r INNER JOIN incidents AS i ON i.incident_id = r.incident_id
  UNION ALL
  SELECT
    incident_id, decided_at, 6, 'verification', toString(root),
    concat(strategy, ' ', outcome, if(reason = '', '', ': '), reason), command_id,
    dateDiff('millisecond', first_error_at, decided_at) / 1000
  FROM incident_attempts WHERE outcome NOT IN ('pending', 'running', 'done')
  UNION ALL
  SELECT
    n.incident_id, n.created_at, 7, 'notification', toString(i.root),
    concat(n.level, ': ', n.title), n.notification_id,
    dateDiff('millisecond', i.first_error_at, n.created_at) / 1000
  FROM notifications AS n INNER JOIN incidents AS i ON i.incident_id = n.incident_id
  UNION ALL
  SELECT
    i.incident_id, d.decided_at, 8, 'notified', toString(i.root),
    concat(d.kind, if(d.channel = '', '', ' on '), d.channel, ': ', d.reason), d.decision_id,
    dateDiff('millisecond', i.first_error_at, d.decided_at) / 1000
  FROM (
    SELECT DISTINCT n.incident_id AS incident_id, d.decided_at AS decided_at, d.kind AS kind,
      d.channel AS channel, d.reason AS reason, d.decision_id AS decision_id
    FROM (
      SELECT decided_at, kind, channel, reason, decision_id,
        arrayJoin(notification_ids) AS notification_id
      FROM notification_decisions WHERE kind != 'grouped'
    ) AS d INNER JOIN notifications AS n ON n.notification_id = d.notification_id
  ) AS d INNER JOIN incidents AS i ON i.incident_id = d.incident_id
)
ORDER BY incident_id, at, step;
