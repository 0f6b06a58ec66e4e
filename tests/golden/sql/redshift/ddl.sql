CREATE SCHEMA IF NOT EXISTS "landing";

CREATE SCHEMA IF NOT EXISTS "staging";

CREATE SCHEMA IF NOT EXISTS "keys";

CREATE SCHEMA IF NOT EXISTS "dwh";

CREATE TABLE IF NOT EXISTS "landing"."customer" (
  "_pk" VARCHAR(2732) NOT NULL,
  "_sk" VARCHAR(1368),
  "_written_at" TIMESTAMP NOT NULL,
  "username" VARCHAR(64),
  "email" VARCHAR(254),
  "fullname" VARCHAR(100)
);

COMMENT ON TABLE "landing"."customer" IS 'the current state of every customer in the lake';

CREATE TABLE IF NOT EXISTS "landing"."address" (
  "_pk" VARCHAR(2732) NOT NULL,
  "_sk" VARCHAR(1368),
  "_written_at" TIMESTAMP NOT NULL,
  "username" VARCHAR(64),
  "name" VARCHAR(16),
  "street" VARCHAR(100),
  "city" VARCHAR(64),
  "state" VARCHAR(32),
  "postcode" VARCHAR(16),
  "country" VARCHAR(2)
);

COMMENT ON TABLE "landing"."address" IS 'the current state of every address in the lake';

CREATE TABLE IF NOT EXISTS "landing"."order" (
  "_pk" VARCHAR(2732) NOT NULL,
  "_sk" VARCHAR(1368),
  "_written_at" TIMESTAMP NOT NULL,
  "username" VARCHAR(64),
  "orderid" VARCHAR(36),
  "orderdate" TIMESTAMP,
  "numberofitems" BIGINT,
  "shipto" VARCHAR(16)
);

COMMENT ON TABLE "landing"."order" IS 'the current state of every order in the lake';

CREATE TABLE IF NOT EXISTS "landing"."line" (
  "_pk" VARCHAR(2732) NOT NULL,
  "_sk" VARCHAR(1368),
  "_written_at" TIMESTAMP NOT NULL,
  "orderid" VARCHAR(36),
  "productid" VARCHAR(36),
  "category" VARCHAR(64),
  "productname" VARCHAR(100),
  "color" VARCHAR(32),
  "price" DECIMAL(10,2)
);

COMMENT ON TABLE "landing"."line" IS 'the current state of every line in the lake';

CREATE TABLE IF NOT EXISTS "staging"."customer" (
  "username" VARCHAR(64),
  "email" VARCHAR(254),
  "fullname" VARCHAR(100),
  "_written_at" TIMESTAMP
);

COMMENT ON TABLE "staging"."customer" IS 'the newest row of every customer';

CREATE TABLE IF NOT EXISTS "staging"."address" (
  "username" VARCHAR(64),
  "name" VARCHAR(16),
  "street" VARCHAR(100),
  "city" VARCHAR(64),
  "state" VARCHAR(32),
  "postcode" VARCHAR(16),
  "country" VARCHAR(2),
  "_written_at" TIMESTAMP
);

COMMENT ON TABLE "staging"."address" IS 'the newest row of every address';

CREATE TABLE IF NOT EXISTS "staging"."product" (
  "productid" VARCHAR(36),
  "productname" VARCHAR(100),
  "color" VARCHAR(32),
  "category" VARCHAR(64),
  "_written_at" TIMESTAMP
);

COMMENT ON TABLE "staging"."product" IS 'the newest row of every product';

CREATE TABLE IF NOT EXISTS "staging"."sales" (
  "orderid" VARCHAR(36),
  "productid" VARCHAR(36),
  "price" DECIMAL(10,2),
  "_customer_username" VARCHAR(64),
  "_customer_as_of" TIMESTAMP,
  "_address_username" VARCHAR(64),
  "_address_name" VARCHAR(16),
  "_product_productid" VARCHAR(36),
  "_date_orderdate" DATE
);

COMMENT ON TABLE "staging"."sales" IS 'sales: business keys looked up, one row a fact';

CREATE TABLE IF NOT EXISTS "staging"."orders" (
  "username" VARCHAR(64),
  "orderid" VARCHAR(36),
  "numberofitems" BIGINT,
  "_customer_username" VARCHAR(64),
  "_customer_as_of" TIMESTAMP,
  "_address_username" VARCHAR(64),
  "_address_name" VARCHAR(16),
  "_date_orderdate" DATE
);

COMMENT ON TABLE "staging"."orders" IS 'orders: business keys looked up, one row a fact';

CREATE TABLE IF NOT EXISTS "keys"."customer" (
  "customer_key" BIGINT NOT NULL,
  "username" VARCHAR(64) NOT NULL,
  "valid_from" TIMESTAMP NOT NULL,
  PRIMARY KEY ("customer_key")
);

COMMENT ON TABLE "keys"."customer" IS 'the surrogate keys of customer, kept for ever';

CREATE TABLE IF NOT EXISTS "keys"."address" (
  "address_key" BIGINT NOT NULL,
  "username" VARCHAR(64) NOT NULL,
  "name" VARCHAR(16) NOT NULL,
  PRIMARY KEY ("address_key")
);

COMMENT ON TABLE "keys"."address" IS 'the surrogate keys of address, kept for ever';

CREATE TABLE IF NOT EXISTS "keys"."product" (
  "product_key" BIGINT NOT NULL,
  "productid" VARCHAR(36) NOT NULL,
  PRIMARY KEY ("product_key")
);

COMMENT ON TABLE "keys"."product" IS 'the surrogate keys of product, kept for ever';

CREATE TABLE IF NOT EXISTS "dwh"."customer" (
  "customer_key" BIGINT NOT NULL,
  "username" VARCHAR(64),
  "email" VARCHAR(254),
  "fullname" VARCHAR(100),
  "is_inferred" BOOLEAN NOT NULL,
  "is_deleted" BOOLEAN NOT NULL,
  "valid_from" TIMESTAMP NOT NULL,
  "valid_to" TIMESTAMP NOT NULL,
  "is_current" BOOLEAN NOT NULL,
  PRIMARY KEY ("customer_key")
);

COMMENT ON TABLE "dwh"."customer" IS 'customer: every member''s versions; -1 is the unknown one';

CREATE TABLE IF NOT EXISTS "dwh"."address" (
  "address_key" BIGINT NOT NULL,
  "username" VARCHAR(64),
  "name" VARCHAR(16),
  "street" VARCHAR(100),
  "city" VARCHAR(64),
  "state" VARCHAR(32),
  "postcode" VARCHAR(16),
  "country" VARCHAR(2),
  "is_inferred" BOOLEAN NOT NULL,
  "is_deleted" BOOLEAN NOT NULL,
  PRIMARY KEY ("address_key")
);

COMMENT ON TABLE "dwh"."address" IS 'address: every member; -1 is the unknown one';

CREATE TABLE IF NOT EXISTS "dwh"."product" (
  "product_key" BIGINT NOT NULL,
  "productid" VARCHAR(36),
  "productname" VARCHAR(100),
  "color" VARCHAR(32),
  "category" VARCHAR(64),
  "is_inferred" BOOLEAN NOT NULL,
  "is_deleted" BOOLEAN NOT NULL,
  PRIMARY KEY ("product_key")
);

COMMENT ON TABLE "dwh"."product" IS 'product: every member; -1 is the unknown one';

CREATE TABLE IF NOT EXISTS "dwh"."date" (
  "date_key" BIGINT NOT NULL,
  "date" DATE,
  "year" BIGINT,
  "quarter" BIGINT,
  "month" BIGINT,
  "day" BIGINT,
  "iso_year" BIGINT,
  "iso_week" BIGINT,
  "weekday" BIGINT,
  "month_name" VARCHAR(9),
  "weekday_name" VARCHAR(9),
  "fiscal_year" BIGINT,
  "fiscal_quarter" BIGINT,
  PRIMARY KEY ("date_key")
);

COMMENT ON TABLE "dwh"."date" IS 'date: every day; -1 is the unknown one';

CREATE TABLE IF NOT EXISTS "dwh"."sales" (
  "customer_key" BIGINT NOT NULL,
  "address_key" BIGINT NOT NULL,
  "product_key" BIGINT NOT NULL,
  "date_key" BIGINT NOT NULL,
  "orderid" VARCHAR(36) NOT NULL,
  "productid" VARCHAR(36) NOT NULL,
  "price" DECIMAL(10,2),
  PRIMARY KEY ("orderid", "productid")
);

COMMENT ON TABLE "dwh"."sales" IS 'sales: one row for each orderid, productid';

CREATE TABLE IF NOT EXISTS "dwh"."orders" (
  "customer_key" BIGINT NOT NULL,
  "address_key" BIGINT NOT NULL,
  "date_key" BIGINT NOT NULL,
  "username" VARCHAR(64) NOT NULL,
  "orderid" VARCHAR(36) NOT NULL,
  "numberofitems" BIGINT,
  PRIMARY KEY ("username", "orderid")
);

COMMENT ON TABLE "dwh"."orders" IS 'orders: one row for each username, orderid';
