select *
from (
    values
    (1, 1, 1, date '2026-01-20', 12345678901234567.01::decimal(38, 2), 1),
    (2, 1, 2, date '2026-02-20', 0.02, 1),
    (3, 1, 2, date '2026-02-21', -0.01, -1)
) as contract (contract_event_id, project_id, employee_id, event_on, amount, quantity)
