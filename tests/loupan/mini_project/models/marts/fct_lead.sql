select *
from (
    values
    (1, 1, 1, 1, date '2026-01-05', 1, 10.0::double),
    (2, 1, 1, 1, date '2026-01-11', 0, null),
    (3, 1, 2, 2, date '2026-01-31', 1, 20.0),
    (4, 2, 2, 1, date '2026-02-28', 1, 'infinity'::double),
    (5, 2, null, null, date '2026-03-01', 0, null),
    (6, null, 1, 1, date '2025-12-31', 1, 5.0)
) as lead (lead_id, project_id, employee_id, department_id, opened_on, is_converted, days_to_contract)
