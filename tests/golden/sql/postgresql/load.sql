BEGIN;

LOCK TABLE "keys"."customer", "keys"."address", "keys"."product" IN EXCLUSIVE MODE;

DELETE FROM "staging"."customer";

INSERT INTO "staging"."customer" ("username", "email", "fullname", "_written_at")
SELECT
  "row"."username" AS "username",
  "row"."email" AS "email",
  "row"."fullname" AS "fullname",
  "row"."_written_at" AS "_written_at"
FROM "landing"."customer" AS "row"
WHERE ("row"."username" IS NOT NULL);

DELETE FROM "staging"."address";

INSERT INTO "staging"."address" ("username", "name", "street", "city", "state", "postcode", "country", "_written_at")
SELECT
  "row"."username" AS "username",
  "row"."name" AS "name",
  "row"."street" AS "street",
  "row"."city" AS "city",
  "row"."state" AS "state",
  "row"."postcode" AS "postcode",
  "row"."country" AS "country",
  "row"."_written_at" AS "_written_at"
FROM "landing"."address" AS "row"
WHERE ("row"."username" IS NOT NULL)
  AND ("row"."name" IS NOT NULL);

DELETE FROM "staging"."product";

INSERT INTO "staging"."product" ("productid", "productname", "color", "category", "_written_at")
SELECT
  "row"."productid" AS "productid",
  "row"."productname" AS "productname",
  "row"."color" AS "color",
  "row"."category" AS "category",
  "row"."_written_at" AS "_written_at"
FROM (
  SELECT
    "row"."productid" AS "productid",
    "row"."productname" AS "productname",
    "row"."color" AS "color",
    "row"."category" AS "category",
    "row"."_written_at" AS "_written_at",
    ROW_NUMBER() OVER (PARTITION BY "row"."productid" ORDER BY "row"."_written_at" DESC, "row"."productname" COLLATE "C", "row"."color" COLLATE "C", "row"."category" COLLATE "C") AS "_rank"
  FROM (
    SELECT
      "row"."productid" AS "productid",
      "row"."productname" AS "productname",
      "row"."color" AS "color",
      "row"."category" AS "category",
      MAX("row"."_written_at") AS "_written_at"
    FROM "landing"."line" AS "row"
    WHERE ("row"."productid" IS NOT NULL)
    GROUP BY "row"."productid", "row"."productname", "row"."color", "row"."category"
  ) AS "row"
) AS "row"
WHERE "row"."_rank" = 1;

DELETE FROM "staging"."sales";

INSERT INTO "staging"."sales" ("orderid", "productid", "price", "_customer_username", "_customer_as_of", "_address_username", "_address_name", "_product_productid", "_date_orderdate")
SELECT
  "_row"."orderid" AS "orderid",
  "_row"."productid" AS "productid",
  "_row"."price" AS "price",
  "order"."username" AS "_customer_username",
  CASE WHEN "order"."orderdate" IS NULL THEN TIMESTAMP '9999-12-30 00:00:00' WHEN "order"."orderdate" > TIMESTAMP '9999-12-30 00:00:00' THEN TIMESTAMP '9999-12-30 00:00:00' WHEN "order"."orderdate" < TIMESTAMP '1900-01-01 00:00:00' THEN TIMESTAMP '1900-01-01 00:00:00' ELSE "order"."orderdate" END AS "_customer_as_of",
  "order"."username" AS "_address_username",
  "order"."shipto" AS "_address_name",
  "_row"."productid" AS "_product_productid",
  CAST("order"."orderdate" AS DATE) AS "_date_orderdate"
FROM "landing"."line" AS "_row"
LEFT JOIN "landing"."order" AS "order" ON ("order"."orderid" = "_row"."orderid");

DELETE FROM "staging"."orders";

INSERT INTO "staging"."orders" ("username", "orderid", "numberofitems", "_customer_username", "_customer_as_of", "_address_username", "_address_name", "_date_orderdate")
SELECT
  "_row"."username" AS "username",
  "_row"."orderid" AS "orderid",
  "_row"."numberofitems" AS "numberofitems",
  "_row"."username" AS "_customer_username",
  CASE WHEN "_row"."orderdate" IS NULL THEN TIMESTAMP '9999-12-30 00:00:00' WHEN "_row"."orderdate" > TIMESTAMP '9999-12-30 00:00:00' THEN TIMESTAMP '9999-12-30 00:00:00' WHEN "_row"."orderdate" < TIMESTAMP '1900-01-01 00:00:00' THEN TIMESTAMP '1900-01-01 00:00:00' ELSE "_row"."orderdate" END AS "_customer_as_of",
  "_row"."username" AS "_address_username",
  "_row"."shipto" AS "_address_name",
  CAST("_row"."orderdate" AS DATE) AS "_date_orderdate"
FROM "landing"."order" AS "_row";

INSERT INTO "keys"."customer" ("customer_key", "username", "valid_from")
WITH "member" AS (
  SELECT
    "row"."username" AS "username"
  FROM "staging"."customer" AS "row"
  UNION ALL
  SELECT DISTINCT
    "row"."_customer_username" AS "username"
  FROM "staging"."sales" AS "row"
  WHERE ("row"."_customer_username" IS NOT NULL)
  UNION ALL
  SELECT DISTINCT
    "row"."_customer_username" AS "username"
  FROM "staging"."orders" AS "row"
  WHERE ("row"."_customer_username" IS NOT NULL)
)
SELECT
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."username" COLLATE "C", "new"."valid_from") AS BIGINT) AS "customer_key",
  "new"."username" AS "username",
  "new"."valid_from" AS "valid_from"
FROM (
  SELECT
    "member"."username" AS "username",
    TIMESTAMP '1900-01-01 00:00:00' AS "valid_from"
  FROM "member"
  LEFT JOIN "keys"."customer" AS "known" ON ("member"."username" = "known"."username")
  WHERE "known"."customer_key" IS NULL
  GROUP BY "member"."username"
  UNION ALL
  SELECT
    "row"."username" AS "username",
    "row"."_written_at" AS "valid_from"
  FROM "staging"."customer" AS "row"
  INNER JOIN "dwh"."customer" AS "current" ON ("row"."username" = "current"."username")
    AND "current"."is_current"
  LEFT JOIN "keys"."customer" AS "known" ON ("row"."username" = "known"."username")
    AND ("known"."valid_from" = "row"."_written_at")
  WHERE ("known"."customer_key" IS NULL)
    AND (NOT "current"."is_inferred")
    AND ("row"."_written_at" > "current"."valid_from")
    AND ("row"."fullname" IS DISTINCT FROM "current"."fullname")
) AS "new"
CROSS JOIN (
  SELECT
    COALESCE(MAX("known"."customer_key"), 0) AS "last"
  FROM "keys"."customer" AS "known"
) AS "highest";

INSERT INTO "keys"."address" ("address_key", "username", "name")
WITH "member" AS (
  SELECT
    "row"."username" AS "username",
    "row"."name" AS "name"
  FROM "staging"."address" AS "row"
  UNION ALL
  SELECT DISTINCT
    "row"."_address_username" AS "username",
    "row"."_address_name" AS "name"
  FROM "staging"."sales" AS "row"
  WHERE ("row"."_address_username" IS NOT NULL)
    AND ("row"."_address_name" IS NOT NULL)
  UNION ALL
  SELECT DISTINCT
    "row"."_address_username" AS "username",
    "row"."_address_name" AS "name"
  FROM "staging"."orders" AS "row"
  WHERE ("row"."_address_username" IS NOT NULL)
    AND ("row"."_address_name" IS NOT NULL)
)
SELECT
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."username" COLLATE "C", "new"."name" COLLATE "C") AS BIGINT) AS "address_key",
  "new"."username" AS "username",
  "new"."name" AS "name"
FROM (
  SELECT
    "member"."username" AS "username",
    "member"."name" AS "name"
  FROM "member"
  LEFT JOIN "keys"."address" AS "known" ON ("member"."username" = "known"."username")
    AND ("member"."name" = "known"."name")
  WHERE "known"."address_key" IS NULL
  GROUP BY "member"."username", "member"."name"
) AS "new"
CROSS JOIN (
  SELECT
    COALESCE(MAX("known"."address_key"), 0) AS "last"
  FROM "keys"."address" AS "known"
) AS "highest";

INSERT INTO "keys"."product" ("product_key", "productid")
WITH "member" AS (
  SELECT
    "row"."productid" AS "productid"
  FROM "staging"."product" AS "row"
)
SELECT
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."productid" COLLATE "C") AS BIGINT) AS "product_key",
  "new"."productid" AS "productid"
FROM (
  SELECT
    "member"."productid" AS "productid"
  FROM "member"
  LEFT JOIN "keys"."product" AS "known" ON ("member"."productid" = "known"."productid")
  WHERE "known"."product_key" IS NULL
  GROUP BY "member"."productid"
) AS "new"
CROSS JOIN (
  SELECT
    COALESCE(MAX("known"."product_key"), 0) AS "last"
  FROM "keys"."product" AS "known"
) AS "highest";

CREATE TEMPORARY TABLE "keystar_rows" AS
SELECT
  "key"."customer_key" AS "customer_key",
  "key"."username" AS "username",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."email" ELSE "old"."email" END AS "email",
  CASE WHEN (("row"."username" IS NOT NULL) AND ("key"."valid_to" = TIMESTAMP '9999-12-31 00:00:00')) THEN "row"."fullname" ELSE "old"."fullname" END AS "fullname",
  CASE WHEN (("row"."username" IS NOT NULL) AND ("key"."valid_to" = TIMESTAMP '9999-12-31 00:00:00')) THEN FALSE ELSE COALESCE("old"."is_inferred", TRUE) END AS "is_inferred",
  (("row"."username" IS NULL) AND (NOT COALESCE("old"."is_inferred", TRUE))) AS "is_deleted",
  "key"."valid_from" AS "valid_from",
  "key"."valid_to" AS "valid_to",
  "key"."valid_to" = TIMESTAMP '9999-12-31 00:00:00' AS "is_current"
FROM (
  SELECT
    "key"."customer_key" AS "customer_key",
    "key"."username" AS "username",
    "key"."valid_from" AS "valid_from",
    COALESCE(LEAD("key"."valid_from") OVER (PARTITION BY "key"."username" ORDER BY "key"."valid_from"), TIMESTAMP '9999-12-31 00:00:00') AS "valid_to"
  FROM "keys"."customer" AS "key"
) AS "key"
LEFT JOIN "staging"."customer" AS "row" ON ("key"."username" = "row"."username")
LEFT JOIN "dwh"."customer" AS "old" ON ("key"."customer_key" = "old"."customer_key")
UNION ALL
SELECT
  -1 AS "customer_key",
  CAST(NULL AS VARCHAR(64)) AS "username",
  CAST(NULL AS VARCHAR(254)) AS "email",
  CAST(NULL AS VARCHAR(100)) AS "fullname",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted",
  TIMESTAMP '1900-01-01 00:00:00' AS "valid_from",
  TIMESTAMP '9999-12-31 00:00:00' AS "valid_to",
  TRUE AS "is_current";

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."customer_key" AS "customer_key"
FROM "dwh"."customer" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."customer_key" = "keystar_rows"."customer_key")
WHERE (("keystar_rows"."customer_key" IS NULL) OR ("old"."username" IS DISTINCT FROM "keystar_rows"."username") OR ("old"."email" IS DISTINCT FROM "keystar_rows"."email") OR ("old"."fullname" IS DISTINCT FROM "keystar_rows"."fullname") OR ("old"."is_inferred" IS DISTINCT FROM "keystar_rows"."is_inferred") OR ("old"."is_deleted" IS DISTINCT FROM "keystar_rows"."is_deleted") OR ("old"."valid_from" IS DISTINCT FROM "keystar_rows"."valid_from") OR ("old"."valid_to" IS DISTINCT FROM "keystar_rows"."valid_to") OR ("old"."is_current" IS DISTINCT FROM "keystar_rows"."is_current"));

DELETE FROM "dwh"."customer"
USING "keystar_gone"
WHERE ("customer"."customer_key" = "keystar_gone"."customer_key");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."customer" ("customer_key", "username", "email", "fullname", "is_inferred", "is_deleted", "valid_from", "valid_to", "is_current")
SELECT
  "keystar_rows"."customer_key" AS "customer_key",
  "keystar_rows"."username" AS "username",
  "keystar_rows"."email" AS "email",
  "keystar_rows"."fullname" AS "fullname",
  "keystar_rows"."is_inferred" AS "is_inferred",
  "keystar_rows"."is_deleted" AS "is_deleted",
  "keystar_rows"."valid_from" AS "valid_from",
  "keystar_rows"."valid_to" AS "valid_to",
  "keystar_rows"."is_current" AS "is_current"
FROM "keystar_rows"
LEFT JOIN "dwh"."customer" AS "old" ON ("old"."customer_key" = "keystar_rows"."customer_key")
WHERE "old"."customer_key" IS NULL;

DROP TABLE "keystar_rows";

CREATE TEMPORARY TABLE "keystar_rows" AS
SELECT
  "key"."address_key" AS "address_key",
  "key"."username" AS "username",
  "key"."name" AS "name",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."street" ELSE "old"."street" END AS "street",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."city" ELSE "old"."city" END AS "city",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."state" ELSE "old"."state" END AS "state",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."postcode" ELSE "old"."postcode" END AS "postcode",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."country" ELSE "old"."country" END AS "country",
  CASE WHEN "row"."username" IS NOT NULL THEN FALSE ELSE COALESCE("old"."is_inferred", TRUE) END AS "is_inferred",
  (("row"."username" IS NULL) AND (NOT COALESCE("old"."is_inferred", TRUE))) AS "is_deleted"
FROM "keys"."address" AS "key"
LEFT JOIN "staging"."address" AS "row" ON ("key"."username" = "row"."username")
  AND ("key"."name" = "row"."name")
LEFT JOIN "dwh"."address" AS "old" ON ("key"."address_key" = "old"."address_key")
UNION ALL
SELECT
  -1 AS "address_key",
  CAST(NULL AS VARCHAR(64)) AS "username",
  CAST(NULL AS VARCHAR(16)) AS "name",
  CAST(NULL AS VARCHAR(100)) AS "street",
  CAST(NULL AS VARCHAR(64)) AS "city",
  CAST(NULL AS VARCHAR(32)) AS "state",
  CAST(NULL AS VARCHAR(16)) AS "postcode",
  CAST(NULL AS VARCHAR(2)) AS "country",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted";

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."address_key" AS "address_key"
FROM "dwh"."address" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."address_key" = "keystar_rows"."address_key")
WHERE (("keystar_rows"."address_key" IS NULL) OR ("old"."username" IS DISTINCT FROM "keystar_rows"."username") OR ("old"."name" IS DISTINCT FROM "keystar_rows"."name") OR ("old"."street" IS DISTINCT FROM "keystar_rows"."street") OR ("old"."city" IS DISTINCT FROM "keystar_rows"."city") OR ("old"."state" IS DISTINCT FROM "keystar_rows"."state") OR ("old"."postcode" IS DISTINCT FROM "keystar_rows"."postcode") OR ("old"."country" IS DISTINCT FROM "keystar_rows"."country") OR ("old"."is_inferred" IS DISTINCT FROM "keystar_rows"."is_inferred") OR ("old"."is_deleted" IS DISTINCT FROM "keystar_rows"."is_deleted"));

DELETE FROM "dwh"."address"
USING "keystar_gone"
WHERE ("address"."address_key" = "keystar_gone"."address_key");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."address" ("address_key", "username", "name", "street", "city", "state", "postcode", "country", "is_inferred", "is_deleted")
SELECT
  "keystar_rows"."address_key" AS "address_key",
  "keystar_rows"."username" AS "username",
  "keystar_rows"."name" AS "name",
  "keystar_rows"."street" AS "street",
  "keystar_rows"."city" AS "city",
  "keystar_rows"."state" AS "state",
  "keystar_rows"."postcode" AS "postcode",
  "keystar_rows"."country" AS "country",
  "keystar_rows"."is_inferred" AS "is_inferred",
  "keystar_rows"."is_deleted" AS "is_deleted"
FROM "keystar_rows"
LEFT JOIN "dwh"."address" AS "old" ON ("old"."address_key" = "keystar_rows"."address_key")
WHERE "old"."address_key" IS NULL;

DROP TABLE "keystar_rows";

CREATE TEMPORARY TABLE "keystar_rows" AS
SELECT
  "key"."product_key" AS "product_key",
  "key"."productid" AS "productid",
  CASE WHEN "row"."productid" IS NOT NULL THEN "row"."productname" ELSE "old"."productname" END AS "productname",
  CASE WHEN "row"."productid" IS NOT NULL THEN "row"."color" ELSE "old"."color" END AS "color",
  CASE WHEN "row"."productid" IS NOT NULL THEN "row"."category" ELSE "old"."category" END AS "category",
  CASE WHEN "row"."productid" IS NOT NULL THEN FALSE ELSE COALESCE("old"."is_inferred", TRUE) END AS "is_inferred",
  (("row"."productid" IS NULL) AND (NOT COALESCE("old"."is_inferred", TRUE))) AS "is_deleted"
FROM "keys"."product" AS "key"
LEFT JOIN "staging"."product" AS "row" ON ("key"."productid" = "row"."productid")
LEFT JOIN "dwh"."product" AS "old" ON ("key"."product_key" = "old"."product_key")
UNION ALL
SELECT
  -1 AS "product_key",
  CAST(NULL AS VARCHAR(36)) AS "productid",
  CAST(NULL AS VARCHAR(100)) AS "productname",
  CAST(NULL AS VARCHAR(32)) AS "color",
  CAST(NULL AS VARCHAR(64)) AS "category",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted";

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."product_key" AS "product_key"
FROM "dwh"."product" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."product_key" = "keystar_rows"."product_key")
WHERE (("keystar_rows"."product_key" IS NULL) OR ("old"."productid" IS DISTINCT FROM "keystar_rows"."productid") OR ("old"."productname" IS DISTINCT FROM "keystar_rows"."productname") OR ("old"."color" IS DISTINCT FROM "keystar_rows"."color") OR ("old"."category" IS DISTINCT FROM "keystar_rows"."category") OR ("old"."is_inferred" IS DISTINCT FROM "keystar_rows"."is_inferred") OR ("old"."is_deleted" IS DISTINCT FROM "keystar_rows"."is_deleted"));

DELETE FROM "dwh"."product"
USING "keystar_gone"
WHERE ("product"."product_key" = "keystar_gone"."product_key");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."product" ("product_key", "productid", "productname", "color", "category", "is_inferred", "is_deleted")
SELECT
  "keystar_rows"."product_key" AS "product_key",
  "keystar_rows"."productid" AS "productid",
  "keystar_rows"."productname" AS "productname",
  "keystar_rows"."color" AS "color",
  "keystar_rows"."category" AS "category",
  "keystar_rows"."is_inferred" AS "is_inferred",
  "keystar_rows"."is_deleted" AS "is_deleted"
FROM "keystar_rows"
LEFT JOIN "dwh"."product" AS "old" ON ("old"."product_key" = "keystar_rows"."product_key")
WHERE "old"."product_key" IS NULL;

DROP TABLE "keystar_rows";

CREATE TEMPORARY TABLE "keystar_rows" AS
WITH "fact_day" AS (
  SELECT
    "row"."_date_orderdate" AS "date"
  FROM "staging"."sales" AS "row"
  UNION ALL
  SELECT
    "row"."_date_orderdate" AS "date"
  FROM "staging"."orders" AS "row"
), "span" AS (
  SELECT
    (MIN("found"."date") + CAST((1 - CAST(EXTRACT(DOY FROM MIN("found"."date")) AS BIGINT)) AS INTEGER)) AS "first",
    MAX("found"."date") AS "last"
  FROM "fact_day" AS "found"
  WHERE ("found"."date" >= DATE '1900-01-01')
    AND ("found"."date" <= DATE '2199-12-31')
)
SELECT
  ((CAST(EXTRACT(YEAR FROM "day"."date") AS BIGINT) * 10000) + (CAST(EXTRACT(MONTH FROM "day"."date") AS BIGINT) * 100)) + CAST(EXTRACT(DAY FROM "day"."date") AS BIGINT) AS "date_key",
  "day"."date" AS "date",
  "day"."year" AS "year",
  CAST(EXTRACT(QUARTER FROM "day"."date") AS BIGINT) AS "quarter",
  "day"."month" AS "month",
  CAST(EXTRACT(DAY FROM "day"."date") AS BIGINT) AS "day",
  CAST(EXTRACT(YEAR FROM "day"."thursday") AS BIGINT) AS "iso_year",
  ((CAST(EXTRACT(DOY FROM "day"."thursday") AS BIGINT) - 1) / 7) + 1 AS "iso_week",
  "day"."weekday" AS "weekday",
  CASE WHEN "day"."month" = 1 THEN 'January' WHEN "day"."month" = 2 THEN 'February' WHEN "day"."month" = 3 THEN 'March' WHEN "day"."month" = 4 THEN 'April' WHEN "day"."month" = 5 THEN 'May' WHEN "day"."month" = 6 THEN 'June' WHEN "day"."month" = 7 THEN 'July' WHEN "day"."month" = 8 THEN 'August' WHEN "day"."month" = 9 THEN 'September' WHEN "day"."month" = 10 THEN 'October' WHEN "day"."month" = 11 THEN 'November' WHEN "day"."month" = 12 THEN 'December' ELSE CAST(NULL AS VARCHAR(9)) END AS "month_name",
  CASE WHEN "day"."weekday" = 1 THEN 'Monday' WHEN "day"."weekday" = 2 THEN 'Tuesday' WHEN "day"."weekday" = 3 THEN 'Wednesday' WHEN "day"."weekday" = 4 THEN 'Thursday' WHEN "day"."weekday" = 5 THEN 'Friday' WHEN "day"."weekday" = 6 THEN 'Saturday' WHEN "day"."weekday" = 7 THEN 'Sunday' ELSE CAST(NULL AS VARCHAR(9)) END AS "weekday_name",
  "day"."year" AS "fiscal_year",
  ((("day"."month" + 11) % 12) / 3) + 1 AS "fiscal_quarter"
FROM (
  SELECT
    "day"."date" AS "date",
    CAST(EXTRACT(YEAR FROM "day"."date") AS BIGINT) AS "year",
    CAST(EXTRACT(MONTH FROM "day"."date") AS BIGINT) AS "month",
    CASE WHEN CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) = 0 THEN 7 ELSE CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) END AS "weekday",
    ("day"."date" + CAST((4 - CASE WHEN CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) = 0 THEN 7 ELSE CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) END) AS INTEGER)) AS "thursday"
  FROM (
    SELECT
      ("span"."first" + CAST("number"."n" AS INTEGER)) AS "date",
      "span"."last" AS "last"
    FROM "span"
    CROSS JOIN (SELECT "s"."n" AS "n" FROM GENERATE_SERIES(0, 109572) AS "s" ("n")) AS "number"
  ) AS "day"
  WHERE CAST(EXTRACT(YEAR FROM "day"."date") AS BIGINT) <= CAST(EXTRACT(YEAR FROM "day"."last") AS BIGINT)
) AS "day"
UNION ALL
SELECT
  -1 AS "date_key",
  CAST(NULL AS DATE) AS "date",
  CAST(NULL AS BIGINT) AS "year",
  CAST(NULL AS BIGINT) AS "quarter",
  CAST(NULL AS BIGINT) AS "month",
  CAST(NULL AS BIGINT) AS "day",
  CAST(NULL AS BIGINT) AS "iso_year",
  CAST(NULL AS BIGINT) AS "iso_week",
  CAST(NULL AS BIGINT) AS "weekday",
  CAST(NULL AS VARCHAR(9)) AS "month_name",
  CAST(NULL AS VARCHAR(9)) AS "weekday_name",
  CAST(NULL AS BIGINT) AS "fiscal_year",
  CAST(NULL AS BIGINT) AS "fiscal_quarter";

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."date_key" AS "date_key"
FROM "dwh"."date" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."date_key" = "keystar_rows"."date_key")
WHERE (("keystar_rows"."date_key" IS NULL) OR ("old"."date" IS DISTINCT FROM "keystar_rows"."date") OR ("old"."year" IS DISTINCT FROM "keystar_rows"."year") OR ("old"."quarter" IS DISTINCT FROM "keystar_rows"."quarter") OR ("old"."month" IS DISTINCT FROM "keystar_rows"."month") OR ("old"."day" IS DISTINCT FROM "keystar_rows"."day") OR ("old"."iso_year" IS DISTINCT FROM "keystar_rows"."iso_year") OR ("old"."iso_week" IS DISTINCT FROM "keystar_rows"."iso_week") OR ("old"."weekday" IS DISTINCT FROM "keystar_rows"."weekday") OR ("old"."month_name" IS DISTINCT FROM "keystar_rows"."month_name") OR ("old"."weekday_name" IS DISTINCT FROM "keystar_rows"."weekday_name") OR ("old"."fiscal_year" IS DISTINCT FROM "keystar_rows"."fiscal_year") OR ("old"."fiscal_quarter" IS DISTINCT FROM "keystar_rows"."fiscal_quarter"));

DELETE FROM "dwh"."date"
USING "keystar_gone"
WHERE ("date"."date_key" = "keystar_gone"."date_key");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."date" ("date_key", "date", "year", "quarter", "month", "day", "iso_year", "iso_week", "weekday", "month_name", "weekday_name", "fiscal_year", "fiscal_quarter")
SELECT
  "keystar_rows"."date_key" AS "date_key",
  "keystar_rows"."date" AS "date",
  "keystar_rows"."year" AS "year",
  "keystar_rows"."quarter" AS "quarter",
  "keystar_rows"."month" AS "month",
  "keystar_rows"."day" AS "day",
  "keystar_rows"."iso_year" AS "iso_year",
  "keystar_rows"."iso_week" AS "iso_week",
  "keystar_rows"."weekday" AS "weekday",
  "keystar_rows"."month_name" AS "month_name",
  "keystar_rows"."weekday_name" AS "weekday_name",
  "keystar_rows"."fiscal_year" AS "fiscal_year",
  "keystar_rows"."fiscal_quarter" AS "fiscal_quarter"
FROM "keystar_rows"
LEFT JOIN "dwh"."date" AS "old" ON ("old"."date_key" = "keystar_rows"."date_key")
WHERE "old"."date_key" IS NULL;

DROP TABLE "keystar_rows";

CREATE TEMPORARY TABLE "keystar_rows" AS
SELECT
  COALESCE("customer"."customer_key", -1) AS "customer_key",
  COALESCE("address"."address_key", -1) AS "address_key",
  COALESCE("product"."product_key", -1) AS "product_key",
  COALESCE("date"."date_key", -1) AS "date_key",
  "_row"."orderid" AS "orderid",
  "_row"."productid" AS "productid",
  "_row"."price" AS "price"
FROM "staging"."sales" AS "_row"
LEFT JOIN "dwh"."customer" AS "customer" ON ("customer"."username" = "_row"."_customer_username")
  AND ("_row"."_customer_as_of" >= "customer"."valid_from")
  AND ("_row"."_customer_as_of" < "customer"."valid_to")
LEFT JOIN "keys"."address" AS "address" ON ("address"."username" = "_row"."_address_username")
  AND ("address"."name" = "_row"."_address_name")
LEFT JOIN "keys"."product" AS "product" ON ("product"."productid" = "_row"."_product_productid")
LEFT JOIN "dwh"."date" AS "date" ON ("date"."date" = "_row"."_date_orderdate");

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."orderid" AS "orderid",
  "old"."productid" AS "productid"
FROM "dwh"."sales" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."orderid" = "keystar_rows"."orderid")
  AND ("old"."productid" = "keystar_rows"."productid")
WHERE (("keystar_rows"."orderid" IS NULL) OR ("old"."customer_key" IS DISTINCT FROM "keystar_rows"."customer_key") OR ("old"."address_key" IS DISTINCT FROM "keystar_rows"."address_key") OR ("old"."product_key" IS DISTINCT FROM "keystar_rows"."product_key") OR ("old"."date_key" IS DISTINCT FROM "keystar_rows"."date_key") OR ("old"."price" IS DISTINCT FROM "keystar_rows"."price"));

DELETE FROM "dwh"."sales"
USING "keystar_gone"
WHERE ("sales"."orderid" = "keystar_gone"."orderid")
  AND ("sales"."productid" = "keystar_gone"."productid");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."sales" ("customer_key", "address_key", "product_key", "date_key", "orderid", "productid", "price")
SELECT
  "keystar_rows"."customer_key" AS "customer_key",
  "keystar_rows"."address_key" AS "address_key",
  "keystar_rows"."product_key" AS "product_key",
  "keystar_rows"."date_key" AS "date_key",
  "keystar_rows"."orderid" AS "orderid",
  "keystar_rows"."productid" AS "productid",
  "keystar_rows"."price" AS "price"
FROM "keystar_rows"
LEFT JOIN "dwh"."sales" AS "old" ON ("old"."orderid" = "keystar_rows"."orderid")
  AND ("old"."productid" = "keystar_rows"."productid")
WHERE "old"."orderid" IS NULL;

DROP TABLE "keystar_rows";

CREATE TEMPORARY TABLE "keystar_rows" AS
SELECT
  COALESCE("customer"."customer_key", -1) AS "customer_key",
  COALESCE("address"."address_key", -1) AS "address_key",
  COALESCE("date"."date_key", -1) AS "date_key",
  "_row"."username" AS "username",
  "_row"."orderid" AS "orderid",
  "_row"."numberofitems" AS "numberofitems"
FROM "staging"."orders" AS "_row"
LEFT JOIN "dwh"."customer" AS "customer" ON ("customer"."username" = "_row"."_customer_username")
  AND ("_row"."_customer_as_of" >= "customer"."valid_from")
  AND ("_row"."_customer_as_of" < "customer"."valid_to")
LEFT JOIN "keys"."address" AS "address" ON ("address"."username" = "_row"."_address_username")
  AND ("address"."name" = "_row"."_address_name")
LEFT JOIN "dwh"."date" AS "date" ON ("date"."date" = "_row"."_date_orderdate");

CREATE TEMPORARY TABLE "keystar_gone" AS
SELECT
  "old"."username" AS "username",
  "old"."orderid" AS "orderid"
FROM "dwh"."orders" AS "old"
LEFT JOIN "keystar_rows" ON ("old"."username" = "keystar_rows"."username")
  AND ("old"."orderid" = "keystar_rows"."orderid")
WHERE (("keystar_rows"."username" IS NULL) OR ("old"."customer_key" IS DISTINCT FROM "keystar_rows"."customer_key") OR ("old"."address_key" IS DISTINCT FROM "keystar_rows"."address_key") OR ("old"."date_key" IS DISTINCT FROM "keystar_rows"."date_key") OR ("old"."numberofitems" IS DISTINCT FROM "keystar_rows"."numberofitems"));

DELETE FROM "dwh"."orders"
USING "keystar_gone"
WHERE ("orders"."username" = "keystar_gone"."username")
  AND ("orders"."orderid" = "keystar_gone"."orderid");

DROP TABLE "keystar_gone";

INSERT INTO "dwh"."orders" ("customer_key", "address_key", "date_key", "username", "orderid", "numberofitems")
SELECT
  "keystar_rows"."customer_key" AS "customer_key",
  "keystar_rows"."address_key" AS "address_key",
  "keystar_rows"."date_key" AS "date_key",
  "keystar_rows"."username" AS "username",
  "keystar_rows"."orderid" AS "orderid",
  "keystar_rows"."numberofitems" AS "numberofitems"
FROM "keystar_rows"
LEFT JOIN "dwh"."orders" AS "old" ON ("old"."username" = "keystar_rows"."username")
  AND ("old"."orderid" = "keystar_rows"."orderid")
WHERE "old"."username" IS NULL;

DROP TABLE "keystar_rows";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: landing.order: orderid is unique: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."orderid" AS "orderid",
    COUNT(*) AS "_rows"
  FROM "landing"."order" AS "row"
  WHERE ("row"."orderid" IS NOT NULL)
  GROUP BY "row"."orderid"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: landing.customer: username is present for customer: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."_pk" AS "_pk",
    "row"."_sk" AS "_sk"
  FROM "landing"."customer" AS "row"
  WHERE ("row"."username" IS NULL)
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: keys.customer: one key for each member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."valid_from" AS "valid_from",
    COUNT(*) AS "_rows"
  FROM "keys"."customer" AS "row"
  GROUP BY "row"."username", "row"."valid_from"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: one row for each key: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."customer_key" AS "customer_key",
    COUNT(*) AS "_rows"
  FROM "dwh"."customer" AS "row"
  GROUP BY "row"."customer_key"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: the unknown member is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    COUNT(*) AS "_rows"
  FROM "dwh"."customer" AS "row"
  WHERE "row"."customer_key" = (-1)
  HAVING COUNT(*) <> 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: username is present: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."customer_key" AS "customer_key"
  FROM "dwh"."customer" AS "row"
  WHERE ("row"."customer_key" <> (-1))
    AND ("row"."username" IS NULL)
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: every row is a member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username"
  FROM "staging"."customer" AS "row"
  LEFT JOIN "dwh"."customer" AS "found" ON ("row"."username" = "found"."username")
    AND "found"."is_current"
  WHERE (("found"."customer_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted")
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: one current version: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    SUM(CASE WHEN "row"."is_current" THEN 1 ELSE 0 END) AS "_current"
  FROM "dwh"."customer" AS "row"
  WHERE "row"."customer_key" <> (-1)
  GROUP BY "row"."username"
  HAVING SUM(CASE WHEN "row"."is_current" THEN 1 ELSE 0 END) <> 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.customer: history without gap or overlap: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."valid_from" AS "valid_from",
    "row"."valid_to" AS "valid_to"
  FROM (
    SELECT
      "row"."username" AS "username",
      "row"."valid_from" AS "valid_from",
      "row"."valid_to" AS "valid_to",
      "row"."is_current" AS "is_current",
      COALESCE(LEAD("row"."valid_from") OVER (PARTITION BY "row"."username" ORDER BY "row"."valid_from"), TIMESTAMP '9999-12-31 00:00:00') AS "_next",
      ROW_NUMBER() OVER (PARTITION BY "row"."username" ORDER BY "row"."valid_from") AS "_version"
    FROM "dwh"."customer" AS "row"
    WHERE "row"."customer_key" <> (-1)
  ) AS "row"
  WHERE (("row"."valid_to" IS DISTINCT FROM "row"."_next") OR (("row"."_version" = 1) AND ("row"."valid_from" IS DISTINCT FROM TIMESTAMP '1900-01-01 00:00:00')) OR ("row"."is_current" IS DISTINCT FROM ("row"."valid_to" IS NOT DISTINCT FROM TIMESTAMP '9999-12-31 00:00:00')) OR ("row"."valid_from" >= "row"."valid_to"))
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: landing.address: username, name is present for address: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."_pk" AS "_pk",
    "row"."_sk" AS "_sk"
  FROM "landing"."address" AS "row"
  WHERE (("row"."username" IS NULL) OR ("row"."name" IS NULL))
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: keys.address: one key for each member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."name" AS "name",
    COUNT(*) AS "_rows"
  FROM "keys"."address" AS "row"
  GROUP BY "row"."username", "row"."name"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.address: one row for each key: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."address_key" AS "address_key",
    COUNT(*) AS "_rows"
  FROM "dwh"."address" AS "row"
  GROUP BY "row"."address_key"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.address: the unknown member is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    COUNT(*) AS "_rows"
  FROM "dwh"."address" AS "row"
  WHERE "row"."address_key" = (-1)
  HAVING COUNT(*) <> 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.address: username, name is present: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."address_key" AS "address_key"
  FROM "dwh"."address" AS "row"
  WHERE ("row"."address_key" <> (-1))
    AND (("row"."username" IS NULL) OR ("row"."name" IS NULL))
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.address: every row is a member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."name" AS "name"
  FROM "staging"."address" AS "row"
  LEFT JOIN "dwh"."address" AS "found" ON ("row"."username" = "found"."username")
    AND ("row"."name" = "found"."name")
  WHERE (("found"."address_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted")
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: landing.line: productid is present for product: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."_pk" AS "_pk",
    "row"."_sk" AS "_sk"
  FROM "landing"."line" AS "row"
  WHERE ("row"."productid" IS NULL)
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: keys.product: one key for each member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."productid" AS "productid",
    COUNT(*) AS "_rows"
  FROM "keys"."product" AS "row"
  GROUP BY "row"."productid"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.product: one row for each key: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."product_key" AS "product_key",
    COUNT(*) AS "_rows"
  FROM "dwh"."product" AS "row"
  GROUP BY "row"."product_key"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.product: the unknown member is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    COUNT(*) AS "_rows"
  FROM "dwh"."product" AS "row"
  WHERE "row"."product_key" = (-1)
  HAVING COUNT(*) <> 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.product: productid is present: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."product_key" AS "product_key"
  FROM "dwh"."product" AS "row"
  WHERE ("row"."product_key" <> (-1))
    AND ("row"."productid" IS NULL)
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.product: every row is a member: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."productid" AS "productid"
  FROM "staging"."product" AS "row"
  LEFT JOIN "dwh"."product" AS "found" ON ("row"."productid" = "found"."productid")
  WHERE (("found"."product_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted")
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.date: every day is there once: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."date" AS "date",
    COUNT(*) AS "_rows"
  FROM "dwh"."date" AS "row"
  WHERE ("row"."date" IS NOT NULL)
  GROUP BY "row"."date"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: orderid, productid is unique: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."orderid" AS "orderid",
    "row"."productid" AS "productid",
    COUNT(*) AS "_rows"
  FROM "dwh"."sales" AS "row"
  GROUP BY "row"."orderid", "row"."productid"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: orderid, productid is present: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."orderid" AS "orderid",
    "row"."productid" AS "productid"
  FROM "dwh"."sales" AS "row"
  WHERE (("row"."orderid" IS NULL) OR ("row"."productid" IS NULL))
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: every customer is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."customer_key" AS "customer_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."sales" AS "row"
  LEFT JOIN "dwh"."customer" AS "found" ON "found"."customer_key" = "row"."customer_key"
  WHERE "found"."customer_key" IS NULL
  GROUP BY "row"."customer_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: every address is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."address_key" AS "address_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."sales" AS "row"
  LEFT JOIN "dwh"."address" AS "found" ON "found"."address_key" = "row"."address_key"
  WHERE "found"."address_key" IS NULL
  GROUP BY "row"."address_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: every product is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."product_key" AS "product_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."sales" AS "row"
  LEFT JOIN "dwh"."product" AS "found" ON "found"."product_key" = "row"."product_key"
  WHERE "found"."product_key" IS NULL
  GROUP BY "row"."product_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: every date is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."date_key" AS "date_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."sales" AS "row"
  LEFT JOIN "dwh"."date" AS "found" ON "found"."date_key" = "row"."date_key"
  WHERE "found"."date_key" IS NULL
  GROUP BY "row"."date_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: as many rows as landing.line: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "source"."landing" AS "landing",
    "found"."dwh" AS "dwh"
  FROM (
    SELECT
      COUNT(*) AS "landing"
    FROM "landing"."line" AS "row"
  ) AS "source"
  CROSS JOIN (
    SELECT
      COUNT(*) AS "dwh"
    FROM "dwh"."sales" AS "row"
  ) AS "found"
  WHERE "source"."landing" IS DISTINCT FROM "found"."dwh"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.sales: the sum of price is that of landing.line: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "source"."landing" AS "landing",
    "found"."dwh" AS "dwh"
  FROM (
    SELECT
      CAST(SUM("row"."price") AS DECIMAL(38,2)) AS "landing"
    FROM "landing"."line" AS "row"
  ) AS "source"
  CROSS JOIN (
    SELECT
      CAST(SUM("row"."price") AS DECIMAL(38,2)) AS "dwh"
    FROM "dwh"."sales" AS "row"
  ) AS "found"
  WHERE "source"."landing" IS DISTINCT FROM "found"."dwh"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: username, orderid is unique: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."orderid" AS "orderid",
    COUNT(*) AS "_rows"
  FROM "dwh"."orders" AS "row"
  GROUP BY "row"."username", "row"."orderid"
  HAVING COUNT(*) > 1
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: username, orderid is present: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."username" AS "username",
    "row"."orderid" AS "orderid"
  FROM "dwh"."orders" AS "row"
  WHERE (("row"."username" IS NULL) OR ("row"."orderid" IS NULL))
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: every customer is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."customer_key" AS "customer_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."orders" AS "row"
  LEFT JOIN "dwh"."customer" AS "found" ON "found"."customer_key" = "row"."customer_key"
  WHERE "found"."customer_key" IS NULL
  GROUP BY "row"."customer_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: every address is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."address_key" AS "address_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."orders" AS "row"
  LEFT JOIN "dwh"."address" AS "found" ON "found"."address_key" = "row"."address_key"
  WHERE "found"."address_key" IS NULL
  GROUP BY "row"."address_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: every date is there: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "row"."date_key" AS "date_key",
    COUNT(*) AS "_facts"
  FROM "dwh"."orders" AS "row"
  LEFT JOIN "dwh"."date" AS "found" ON "found"."date_key" = "row"."date_key"
  WHERE "found"."date_key" IS NULL
  GROUP BY "row"."date_key"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: as many rows as landing.order: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "source"."landing" AS "landing",
    "found"."dwh" AS "dwh"
  FROM (
    SELECT
      COUNT(*) AS "landing"
    FROM "landing"."order" AS "row"
  ) AS "source"
  CROSS JOIN (
    SELECT
      COUNT(*) AS "dwh"
    FROM "dwh"."orders" AS "row"
  ) AS "found"
  WHERE "source"."landing" IS DISTINCT FROM "found"."dwh"
) AS "offending";

SELECT
  CASE WHEN COUNT(*) = 0 THEN 0 ELSE CAST('failed test: dwh.orders: the sum of numberofitems is that of landing.order: ' || CAST(COUNT(*) AS VARCHAR(20)) AS BIGINT) END AS "failures"
FROM (
  SELECT
    "source"."landing" AS "landing",
    "found"."dwh" AS "dwh"
  FROM (
    SELECT
      CAST(SUM(CAST("row"."numberofitems" AS DECIMAL(38,0))) AS DECIMAL(38,0)) AS "landing"
    FROM "landing"."order" AS "row"
  ) AS "source"
  CROSS JOIN (
    SELECT
      CAST(SUM(CAST("row"."numberofitems" AS DECIMAL(38,0))) AS DECIMAL(38,0)) AS "dwh"
    FROM "dwh"."orders" AS "row"
  ) AS "found"
  WHERE "source"."landing" IS DISTINCT FROM "found"."dwh"
) AS "offending";

COMMIT;
