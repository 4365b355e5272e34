-- Every recovery command once.
CREATE OR REPLACE VIEW commands AS
SELECT * FROM command_log ORDER BY command_id, offset DESC LIMIT 1 BY command_id;
