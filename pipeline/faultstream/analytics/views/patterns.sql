-- Every pattern once, as its latest revision says.
CREATE OR REPLACE VIEW patterns AS
SELECT * FROM pattern_log ORDER BY pattern_id, revision DESC, offset DESC LIMIT 1 BY pattern_id;
