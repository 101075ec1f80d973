select *
from (
    values (1, 1, date '2026-01-01', 50), (2, 1, date '2026-02-01', 40), (3, 2, date '2026-01-01', 30), (4, 3, date '2026-01-01', 0)
) as customer_month (customer_month_id, project_id, month_on, customers)
