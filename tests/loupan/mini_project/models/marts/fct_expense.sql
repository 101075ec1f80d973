select *
from (
    values (1, 1, date '2026-01-03', 100.10::decimal(18, 2)), (2, 1, date '2026-01-04', 0.20), (3, 3, date '2026-02-01', 7.00)
) as expense (expense_id, project_id, incurred_on, amount)
