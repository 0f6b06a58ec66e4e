WITH "totals" AS (
  SELECT
    "product"."category" AS "category",
    "address"."country" AS "country",
    "date"."year" AS "year",
    "date"."quarter" AS "quarter",
    COALESCE(CAST(SUM("_fact"."price") AS DECIMAL(38,2)), CAST(0 AS DECIMAL(38,2))) AS "total"
  FROM "dwh"."sales" AS "_fact"
  LEFT JOIN "dwh"."product" AS "product" ON "product"."product_key" = "_fact"."product_key"
  LEFT JOIN "dwh"."address" AS "address" ON "address"."address_key" = "_fact"."address_key"
  LEFT JOIN "dwh"."date" AS "date" ON "date"."date_key" = "_fact"."date_key"
  WHERE "date"."year" IS NOT NULL
  GROUP BY "product"."category", "address"."country", "date"."year", "date"."quarter"
), "span" AS (
  SELECT
    MIN(("totals"."year" * 4) + "totals"."quarter") AS "first",
    MAX(("totals"."year" * 4) + "totals"."quarter") AS "last"
  FROM "totals"
)
SELECT
  "both_sides"."category" AS "category",
  "both_sides"."country" AS "country",
  "both_sides"."year" AS "year",
  "both_sides"."quarter" AS "quarter",
  "both_sides"."previous" AS "previous",
  "both_sides"."current" AS "current",
  COALESCE("both_sides"."current", CAST(0 AS DECIMAL(38,2))) - COALESCE("both_sides"."previous", CAST(0 AS DECIMAL(38,2))) AS "change",
  CASE WHEN (("both_sides"."previous" > 0) AND ("both_sides"."current" IS NOT NULL)) THEN CAST((CAST("both_sides"."current" - "both_sides"."previous" AS DOUBLE PRECISION) * 100) / CAST("both_sides"."previous" AS DOUBLE PRECISION) AS DECIMAL(38,2)) ELSE CAST(NULL AS DECIMAL(38,2)) END AS "growth_percent",
  CASE WHEN "both_sides"."previous" IS NULL THEN 'new' WHEN "both_sides"."current" IS NULL THEN 'ended' ELSE 'compared' END AS "status"
FROM (
  SELECT
    "side"."category" AS "category",
    "side"."country" AS "country",
    "side"."year" AS "year",
    "side"."quarter" AS "quarter",
    MAX("side"."previous") AS "previous",
    MAX("side"."current") AS "current"
  FROM (
    SELECT
      "totals"."category" AS "category",
      "totals"."country" AS "country",
      "totals"."year" AS "year",
      "totals"."quarter" AS "quarter",
      CAST(NULL AS DECIMAL(38,2)) AS "previous",
      "totals"."total" AS "current"
    FROM "totals"
    UNION ALL
    SELECT
      "totals"."category" AS "category",
      "totals"."country" AS "country",
      "totals"."year" + 1 AS "year",
      "totals"."quarter" AS "quarter",
      "totals"."total" AS "previous",
      CAST(NULL AS DECIMAL(38,2)) AS "current"
    FROM "totals"
  ) AS "side"
  GROUP BY "side"."category", "side"."country", "side"."year", "side"."quarter"
) AS "both_sides"
CROSS JOIN "span"
WHERE ((("both_sides"."year" * 4) + "both_sides"."quarter") >= ("span"."first" + 4))
  AND ((("both_sides"."year" * 4) + "both_sides"."quarter") <= "span"."last")
ORDER BY "year", "quarter", "category", "country";
