-- staging.customer: the newest row of each member (Replace)
SELECT
  "row"."username" AS "username",
  "row"."email" AS "email",
  "row"."fullname" AS "fullname",
  "row"."_written_at" AS "_written_at"
FROM "landing"."customer" AS "row"
WHERE ("row"."username" IS NOT NULL);

-- staging.address: the newest row of each member (Replace)
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

-- staging.product: the newest row of each member (Replace)
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
    ROW_NUMBER() OVER (PARTITION BY "row"."productid" ORDER BY "row"."_written_at" DESC, "row"."productname", "row"."color", "row"."category") AS "_rank"
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

-- staging.sales: business keys looked up (Replace)
SELECT
  "_row"."orderid" AS "orderid",
  "_row"."productid" AS "productid",
  "_row"."price" AS "price",
  "order"."username" AS "_customer_username",
  CASE WHEN "order"."orderdate" IS NULL THEN arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') WHEN "order"."orderdate" > arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') THEN arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') WHEN "order"."orderdate" < arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') THEN arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') ELSE "order"."orderdate" END AS "_customer_as_of",
  "order"."username" AS "_address_username",
  "order"."shipto" AS "_address_name",
  "_row"."productid" AS "_product_productid",
  CAST("order"."orderdate" AS DATE) AS "_date_orderdate"
FROM "landing"."line" AS "_row"
LEFT JOIN "landing"."order" AS "order" ON ("order"."orderid" = "_row"."orderid");

-- staging.orders: business keys looked up (Replace)
SELECT
  "_row"."username" AS "username",
  "_row"."orderid" AS "orderid",
  "_row"."numberofitems" AS "numberofitems",
  "_row"."username" AS "_customer_username",
  CASE WHEN "_row"."orderdate" IS NULL THEN arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') WHEN "_row"."orderdate" > arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') THEN arrow_cast('9999-12-30T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') WHEN "_row"."orderdate" < arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') THEN arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') ELSE "_row"."orderdate" END AS "_customer_as_of",
  "_row"."username" AS "_address_username",
  "_row"."shipto" AS "_address_name",
  CAST("_row"."orderdate" AS DATE) AS "_date_orderdate"
FROM "landing"."order" AS "_row";

-- keys.customer: keys for new members (Append)
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
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."username", "new"."valid_from") AS BIGINT) AS "customer_key",
  "new"."username" AS "username",
  "new"."valid_from" AS "valid_from"
FROM (
  SELECT
    "member"."username" AS "username",
    arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') AS "valid_from"
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

-- keys.address: keys for new members (Append)
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
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."username", "new"."name") AS BIGINT) AS "address_key",
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

-- keys.product: keys for new members (Append)
WITH "member" AS (
  SELECT
    "row"."productid" AS "productid"
  FROM "staging"."product" AS "row"
)
SELECT
  "highest"."last" + CAST(ROW_NUMBER() OVER (ORDER BY "new"."productid") AS BIGINT) AS "product_key",
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

-- dwh.customer: members and their versions (Replace)
SELECT
  "key"."customer_key" AS "customer_key",
  "key"."username" AS "username",
  CASE WHEN "row"."username" IS NOT NULL THEN "row"."email" ELSE "old"."email" END AS "email",
  CASE WHEN (("row"."username" IS NOT NULL) AND ("key"."valid_to" = arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))'))) THEN "row"."fullname" ELSE "old"."fullname" END AS "fullname",
  CASE WHEN (("row"."username" IS NOT NULL) AND ("key"."valid_to" = arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))'))) THEN FALSE ELSE COALESCE("old"."is_inferred", TRUE) END AS "is_inferred",
  (("row"."username" IS NULL) AND (NOT COALESCE("old"."is_inferred", TRUE))) AS "is_deleted",
  "key"."valid_from" AS "valid_from",
  "key"."valid_to" AS "valid_to",
  "key"."valid_to" = arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') AS "is_current"
FROM (
  SELECT
    "key"."customer_key" AS "customer_key",
    "key"."username" AS "username",
    "key"."valid_from" AS "valid_from",
    COALESCE(LEAD("key"."valid_from") OVER (PARTITION BY "key"."username" ORDER BY "key"."valid_from"), arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))')) AS "valid_to"
  FROM "keys"."customer" AS "key"
) AS "key"
LEFT JOIN "staging"."customer" AS "row" ON ("key"."username" = "row"."username")
LEFT JOIN "dwh"."customer" AS "old" ON ("key"."customer_key" = "old"."customer_key")
UNION ALL
SELECT
  -1 AS "customer_key",
  arrow_cast(NULL, 'Utf8') AS "username",
  arrow_cast(NULL, 'Utf8') AS "email",
  arrow_cast(NULL, 'Utf8') AS "fullname",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted",
  arrow_cast('1900-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') AS "valid_from",
  arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') AS "valid_to",
  TRUE AS "is_current";

-- dwh.address: members (Replace)
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
  arrow_cast(NULL, 'Utf8') AS "username",
  arrow_cast(NULL, 'Utf8') AS "name",
  arrow_cast(NULL, 'Utf8') AS "street",
  arrow_cast(NULL, 'Utf8') AS "city",
  arrow_cast(NULL, 'Utf8') AS "state",
  arrow_cast(NULL, 'Utf8') AS "postcode",
  arrow_cast(NULL, 'Utf8') AS "country",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted";

-- dwh.product: members (Replace)
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
  arrow_cast(NULL, 'Utf8') AS "productid",
  arrow_cast(NULL, 'Utf8') AS "productname",
  arrow_cast(NULL, 'Utf8') AS "color",
  arrow_cast(NULL, 'Utf8') AS "category",
  FALSE AS "is_inferred",
  FALSE AS "is_deleted";

-- dwh.date: every day (Replace)
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
    CAST(CAST(CAST(MIN("found"."date") AS INTEGER) + (1 - CAST(EXTRACT(DOY FROM MIN("found"."date")) AS BIGINT)) AS INTEGER) AS DATE) AS "first",
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
  CASE WHEN "day"."month" = 1 THEN 'January' WHEN "day"."month" = 2 THEN 'February' WHEN "day"."month" = 3 THEN 'March' WHEN "day"."month" = 4 THEN 'April' WHEN "day"."month" = 5 THEN 'May' WHEN "day"."month" = 6 THEN 'June' WHEN "day"."month" = 7 THEN 'July' WHEN "day"."month" = 8 THEN 'August' WHEN "day"."month" = 9 THEN 'September' WHEN "day"."month" = 10 THEN 'October' WHEN "day"."month" = 11 THEN 'November' WHEN "day"."month" = 12 THEN 'December' ELSE arrow_cast(NULL, 'Utf8') END AS "month_name",
  CASE WHEN "day"."weekday" = 1 THEN 'Monday' WHEN "day"."weekday" = 2 THEN 'Tuesday' WHEN "day"."weekday" = 3 THEN 'Wednesday' WHEN "day"."weekday" = 4 THEN 'Thursday' WHEN "day"."weekday" = 5 THEN 'Friday' WHEN "day"."weekday" = 6 THEN 'Saturday' WHEN "day"."weekday" = 7 THEN 'Sunday' ELSE arrow_cast(NULL, 'Utf8') END AS "weekday_name",
  "day"."year" AS "fiscal_year",
  ((("day"."month" + 11) % 12) / 3) + 1 AS "fiscal_quarter"
FROM (
  SELECT
    "day"."date" AS "date",
    CAST(EXTRACT(YEAR FROM "day"."date") AS BIGINT) AS "year",
    CAST(EXTRACT(MONTH FROM "day"."date") AS BIGINT) AS "month",
    CASE WHEN CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) = 0 THEN 7 ELSE CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) END AS "weekday",
    CAST(CAST(CAST("day"."date" AS INTEGER) + (4 - CASE WHEN CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) = 0 THEN 7 ELSE CAST(EXTRACT(DOW FROM "day"."date") AS BIGINT) END) AS INTEGER) AS DATE) AS "thursday"
  FROM (
    SELECT
      CAST(CAST(CAST("span"."first" AS INTEGER) + "number"."n" AS INTEGER) AS DATE) AS "date",
      "span"."last" AS "last"
    FROM "span"
    CROSS JOIN (SELECT "value" AS "n" FROM generate_series(0, 109572)) AS "number"
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
  arrow_cast(NULL, 'Utf8') AS "month_name",
  arrow_cast(NULL, 'Utf8') AS "weekday_name",
  CAST(NULL AS BIGINT) AS "fiscal_year",
  CAST(NULL AS BIGINT) AS "fiscal_quarter";

-- dwh.sales: facts (Replace)
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

-- dwh.orders: facts (Replace)
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
