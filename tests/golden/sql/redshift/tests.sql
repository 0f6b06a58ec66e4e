-- landing.order: orderid is unique
-- the model declares orderid of entity order unique, and facts count on it; each row tells values that several items have
SELECT
  "row"."orderid" AS "orderid",
  COUNT(*) AS "_rows"
FROM "landing"."order" AS "row"
WHERE ("row"."orderid" IS NOT NULL)
GROUP BY "row"."orderid"
HAVING COUNT(*) > 1;

-- landing.customer: username is present for customer
-- each row tells the key of an item without username
SELECT
  "row"."_pk" AS "_pk",
  "row"."_sk" AS "_sk"
FROM "landing"."customer" AS "row"
WHERE ("row"."username" IS NULL);

-- keys.customer: one key for each member
-- each row tells a business key that has several surrogate keys
SELECT
  "row"."username" AS "username",
  "row"."valid_from" AS "valid_from",
  COUNT(*) AS "_rows"
FROM "keys"."customer" AS "row"
GROUP BY "row"."username", "row"."valid_from"
HAVING COUNT(*) > 1;

-- dwh.customer: one row for each key
-- each row tells a surrogate key that is there twice
SELECT
  "row"."customer_key" AS "customer_key",
  COUNT(*) AS "_rows"
FROM "dwh"."customer" AS "row"
GROUP BY "row"."customer_key"
HAVING COUNT(*) > 1;

-- dwh.customer: the unknown member is there
-- the row tells how many members have the key -1, which has to be one
SELECT
  COUNT(*) AS "_rows"
FROM "dwh"."customer" AS "row"
WHERE "row"."customer_key" = (-1)
HAVING COUNT(*) <> 1;

-- dwh.customer: username is present
-- each row tells the key of a member without username
SELECT
  "row"."customer_key" AS "customer_key"
FROM "dwh"."customer" AS "row"
WHERE ("row"."customer_key" <> (-1))
  AND ("row"."username" IS NULL);

-- dwh.customer: every row is a member
-- each row tells a business key of the lake whose member is missing, or is marked as inferred or deleted
SELECT
  "row"."username" AS "username"
FROM "staging"."customer" AS "row"
LEFT JOIN "dwh"."customer" AS "found" ON ("row"."username" = "found"."username")
  AND "found"."is_current"
WHERE (("found"."customer_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted");

-- dwh.customer: one current version
-- each row tells a member that has not exactly one current version
SELECT
  "row"."username" AS "username",
  SUM(CASE WHEN "row"."is_current" THEN 1 ELSE 0 END) AS "_current"
FROM "dwh"."customer" AS "row"
WHERE "row"."customer_key" <> (-1)
GROUP BY "row"."username"
HAVING SUM(CASE WHEN "row"."is_current" THEN 1 ELSE 0 END) <> 1;

-- dwh.customer: history without gap or overlap
-- each row tells a version that does not end where the next begins, or does not begin in 1900 as a first one does, or is current without being the last
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
WHERE ((NOT (("row"."valid_to" IS NOT NULL AND "row"."_next" IS NOT NULL AND "row"."valid_to" = "row"."_next") OR ("row"."valid_to" IS NULL AND "row"."_next" IS NULL))) OR (("row"."_version" = 1) AND (NOT (("row"."valid_from" IS NOT NULL AND TIMESTAMP '1900-01-01 00:00:00' IS NOT NULL AND "row"."valid_from" = TIMESTAMP '1900-01-01 00:00:00') OR ("row"."valid_from" IS NULL AND TIMESTAMP '1900-01-01 00:00:00' IS NULL)))) OR (NOT (("row"."is_current" IS NOT NULL AND (("row"."valid_to" IS NOT NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NOT NULL AND "row"."valid_to" = TIMESTAMP '9999-12-31 00:00:00') OR ("row"."valid_to" IS NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NULL)) IS NOT NULL AND "row"."is_current" = (("row"."valid_to" IS NOT NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NOT NULL AND "row"."valid_to" = TIMESTAMP '9999-12-31 00:00:00') OR ("row"."valid_to" IS NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NULL))) OR ("row"."is_current" IS NULL AND (("row"."valid_to" IS NOT NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NOT NULL AND "row"."valid_to" = TIMESTAMP '9999-12-31 00:00:00') OR ("row"."valid_to" IS NULL AND TIMESTAMP '9999-12-31 00:00:00' IS NULL)) IS NULL))) OR ("row"."valid_from" >= "row"."valid_to"));

-- landing.address: username, name is present for address
-- each row tells the key of an item without username, name
SELECT
  "row"."_pk" AS "_pk",
  "row"."_sk" AS "_sk"
FROM "landing"."address" AS "row"
WHERE (("row"."username" IS NULL) OR ("row"."name" IS NULL));

-- keys.address: one key for each member
-- each row tells a business key that has several surrogate keys
SELECT
  "row"."username" AS "username",
  "row"."name" AS "name",
  COUNT(*) AS "_rows"
FROM "keys"."address" AS "row"
GROUP BY "row"."username", "row"."name"
HAVING COUNT(*) > 1;

-- dwh.address: one row for each key
-- each row tells a surrogate key that is there twice
SELECT
  "row"."address_key" AS "address_key",
  COUNT(*) AS "_rows"
FROM "dwh"."address" AS "row"
GROUP BY "row"."address_key"
HAVING COUNT(*) > 1;

-- dwh.address: the unknown member is there
-- the row tells how many members have the key -1, which has to be one
SELECT
  COUNT(*) AS "_rows"
FROM "dwh"."address" AS "row"
WHERE "row"."address_key" = (-1)
HAVING COUNT(*) <> 1;

-- dwh.address: username, name is present
-- each row tells the key of a member without username, name
SELECT
  "row"."address_key" AS "address_key"
FROM "dwh"."address" AS "row"
WHERE ("row"."address_key" <> (-1))
  AND (("row"."username" IS NULL) OR ("row"."name" IS NULL));

-- dwh.address: every row is a member
-- each row tells a business key of the lake whose member is missing, or is marked as inferred or deleted
SELECT
  "row"."username" AS "username",
  "row"."name" AS "name"
FROM "staging"."address" AS "row"
LEFT JOIN "dwh"."address" AS "found" ON ("row"."username" = "found"."username")
  AND ("row"."name" = "found"."name")
WHERE (("found"."address_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted");

-- landing.line: productid is present for product
-- each row tells the key of an item without productid
SELECT
  "row"."_pk" AS "_pk",
  "row"."_sk" AS "_sk"
FROM "landing"."line" AS "row"
WHERE ("row"."productid" IS NULL);

-- keys.product: one key for each member
-- each row tells a business key that has several surrogate keys
SELECT
  "row"."productid" AS "productid",
  COUNT(*) AS "_rows"
FROM "keys"."product" AS "row"
GROUP BY "row"."productid"
HAVING COUNT(*) > 1;

-- dwh.product: one row for each key
-- each row tells a surrogate key that is there twice
SELECT
  "row"."product_key" AS "product_key",
  COUNT(*) AS "_rows"
FROM "dwh"."product" AS "row"
GROUP BY "row"."product_key"
HAVING COUNT(*) > 1;

-- dwh.product: the unknown member is there
-- the row tells how many members have the key -1, which has to be one
SELECT
  COUNT(*) AS "_rows"
FROM "dwh"."product" AS "row"
WHERE "row"."product_key" = (-1)
HAVING COUNT(*) <> 1;

-- dwh.product: productid is present
-- each row tells the key of a member without productid
SELECT
  "row"."product_key" AS "product_key"
FROM "dwh"."product" AS "row"
WHERE ("row"."product_key" <> (-1))
  AND ("row"."productid" IS NULL);

-- dwh.product: every row is a member
-- each row tells a business key of the lake whose member is missing, or is marked as inferred or deleted
SELECT
  "row"."productid" AS "productid"
FROM "staging"."product" AS "row"
LEFT JOIN "dwh"."product" AS "found" ON ("row"."productid" = "found"."productid")
WHERE (("found"."product_key" IS NULL) OR "found"."is_inferred" OR "found"."is_deleted");

-- dwh.date: every day is there once
-- each row tells a day that is there twice
SELECT
  "row"."date" AS "date",
  COUNT(*) AS "_rows"
FROM "dwh"."date" AS "row"
WHERE ("row"."date" IS NOT NULL)
GROUP BY "row"."date"
HAVING COUNT(*) > 1;

-- dwh.sales: orderid, productid is unique
-- each row tells values of orderid, productid that several facts have
SELECT
  "row"."orderid" AS "orderid",
  "row"."productid" AS "productid",
  COUNT(*) AS "_rows"
FROM "dwh"."sales" AS "row"
GROUP BY "row"."orderid", "row"."productid"
HAVING COUNT(*) > 1;

-- dwh.sales: orderid, productid is present
-- each row tells a fact with no value in orderid, productid
SELECT
  "row"."orderid" AS "orderid",
  "row"."productid" AS "productid"
FROM "dwh"."sales" AS "row"
WHERE (("row"."orderid" IS NULL) OR ("row"."productid" IS NULL));

-- dwh.sales: every customer is there
-- each row tells a key of dwh.customer that is not there, and how many facts refer to it
SELECT
  "row"."customer_key" AS "customer_key",
  COUNT(*) AS "_facts"
FROM "dwh"."sales" AS "row"
LEFT JOIN "dwh"."customer" AS "found" ON "found"."customer_key" = "row"."customer_key"
WHERE "found"."customer_key" IS NULL
GROUP BY "row"."customer_key";

-- dwh.sales: every address is there
-- each row tells a key of dwh.address that is not there, and how many facts refer to it
SELECT
  "row"."address_key" AS "address_key",
  COUNT(*) AS "_facts"
FROM "dwh"."sales" AS "row"
LEFT JOIN "dwh"."address" AS "found" ON "found"."address_key" = "row"."address_key"
WHERE "found"."address_key" IS NULL
GROUP BY "row"."address_key";

-- dwh.sales: every product is there
-- each row tells a key of dwh.product that is not there, and how many facts refer to it
SELECT
  "row"."product_key" AS "product_key",
  COUNT(*) AS "_facts"
FROM "dwh"."sales" AS "row"
LEFT JOIN "dwh"."product" AS "found" ON "found"."product_key" = "row"."product_key"
WHERE "found"."product_key" IS NULL
GROUP BY "row"."product_key";

-- dwh.sales: every date is there
-- each row tells a key of dwh.date that is not there, and how many facts refer to it
SELECT
  "row"."date_key" AS "date_key",
  COUNT(*) AS "_facts"
FROM "dwh"."sales" AS "row"
LEFT JOIN "dwh"."date" AS "found" ON "found"."date_key" = "row"."date_key"
WHERE "found"."date_key" IS NULL
GROUP BY "row"."date_key";

-- dwh.sales: as many rows as landing.line
-- the row tells how many rows there are and how many there are to be
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
WHERE NOT (("source"."landing" IS NOT NULL AND "found"."dwh" IS NOT NULL AND "source"."landing" = "found"."dwh") OR ("source"."landing" IS NULL AND "found"."dwh" IS NULL));

-- dwh.sales: the sum of price is that of landing.line
-- the row tells the sum that is to be and the one that is
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
WHERE NOT (("source"."landing" IS NOT NULL AND "found"."dwh" IS NOT NULL AND "source"."landing" = "found"."dwh") OR ("source"."landing" IS NULL AND "found"."dwh" IS NULL));

-- dwh.orders: username, orderid is unique
-- each row tells values of username, orderid that several facts have
SELECT
  "row"."username" AS "username",
  "row"."orderid" AS "orderid",
  COUNT(*) AS "_rows"
FROM "dwh"."orders" AS "row"
GROUP BY "row"."username", "row"."orderid"
HAVING COUNT(*) > 1;

-- dwh.orders: username, orderid is present
-- each row tells a fact with no value in username, orderid
SELECT
  "row"."username" AS "username",
  "row"."orderid" AS "orderid"
FROM "dwh"."orders" AS "row"
WHERE (("row"."username" IS NULL) OR ("row"."orderid" IS NULL));

-- dwh.orders: every customer is there
-- each row tells a key of dwh.customer that is not there, and how many facts refer to it
SELECT
  "row"."customer_key" AS "customer_key",
  COUNT(*) AS "_facts"
FROM "dwh"."orders" AS "row"
LEFT JOIN "dwh"."customer" AS "found" ON "found"."customer_key" = "row"."customer_key"
WHERE "found"."customer_key" IS NULL
GROUP BY "row"."customer_key";

-- dwh.orders: every address is there
-- each row tells a key of dwh.address that is not there, and how many facts refer to it
SELECT
  "row"."address_key" AS "address_key",
  COUNT(*) AS "_facts"
FROM "dwh"."orders" AS "row"
LEFT JOIN "dwh"."address" AS "found" ON "found"."address_key" = "row"."address_key"
WHERE "found"."address_key" IS NULL
GROUP BY "row"."address_key";

-- dwh.orders: every date is there
-- each row tells a key of dwh.date that is not there, and how many facts refer to it
SELECT
  "row"."date_key" AS "date_key",
  COUNT(*) AS "_facts"
FROM "dwh"."orders" AS "row"
LEFT JOIN "dwh"."date" AS "found" ON "found"."date_key" = "row"."date_key"
WHERE "found"."date_key" IS NULL
GROUP BY "row"."date_key";

-- dwh.orders: as many rows as landing.order
-- the row tells how many rows there are and how many there are to be
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
WHERE NOT (("source"."landing" IS NOT NULL AND "found"."dwh" IS NOT NULL AND "source"."landing" = "found"."dwh") OR ("source"."landing" IS NULL AND "found"."dwh" IS NULL));

-- dwh.orders: the sum of numberofitems is that of landing.order
-- the row tells the sum that is to be and the one that is
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
WHERE NOT (("source"."landing" IS NOT NULL AND "found"."dwh" IS NOT NULL AND "source"."landing" = "found"."dwh") OR ("source"."landing" IS NULL AND "found"."dwh" IS NULL));
