-- Sales of each year by category, and what they are of the year before.
WITH sales AS (
  SELECT p.category, d.year, SUM(s.price) AS total
  FROM dwh.sales AS s
  JOIN dwh.product AS p ON p.product_key = s.product_key
  JOIN dwh.date AS d ON d.date_key = s.date_key
  WHERE d.year IS NOT NULL
  GROUP BY p.category, d.year
)
SELECT
  this.category,
  this.year,
  this.total,
  ROUND(this.total * 100 / last.total, 1) AS percent_of_last_year
FROM sales AS this
LEFT JOIN sales AS last ON last.category = this.category AND last.year = this.year - 1
ORDER BY this.category, this.year
