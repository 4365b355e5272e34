-- Every answer of an executor once.
CREATE OR REPLACE VIEW results AS
SELECT * FROM result_log ORDER BY result_id, offset DESC LIMIT 1 BY result_id;
