-- What was decided about notifications, each decision once.
CREATE OR REPLACE VIEW notification_decisions AS
SELECT * FROM notification_decision_log
ORDER BY log_id, decision_id, offset DESC LIMIT 1 BY log_id, decision_id;
