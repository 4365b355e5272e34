-- Every notification once.
CREATE OR REPLACE VIEW notifications AS
SELECT * FROM notification_log
ORDER BY notification_id, offset DESC LIMIT 1 BY notification_id;
