-- How long each service was up, of any number of hours: it is down in its outages.
--   SELECT * FROM availability_over(hours = 720)
CREATE OR REPLACE VIEW availability_over AS
SELECT
  environment, service, length(arrayFilter(x -> x.2 > x.1, spans)) AS outages,
  -- What overlaps counts once: each span begins where all before it have ended, at the earliest.
  arraySum(arrayMap(
    (x, i) -> greatest(0, x.2 - greatest(x.1, arrayMax(arrayPushFront(
      arrayMap(y -> y.2, arraySlice(spans, 1, i - 1)), 0)))),
    spans, arrayEnumerate(spans))) / 1000 AS down_s,
  round(1 - down_s / ({hours:UInt32} * 3600), 6) AS available_ratio
FROM (
  SELECT environment, service, arraySort(groupArray((
    greatest(toUnixTimestamp64Milli(began_at),
      toUnixTimestamp64Milli(now64(3)) - {hours:UInt32} * 3600000),
    toUnixTimestamp64Milli(ended_at)))) AS spans
  FROM outages
  WHERE ended_at >= now64(3) - toIntervalHour({hours:UInt32})
  GROUP BY environment, service
)
ORDER BY available_ratio, environment, service;
