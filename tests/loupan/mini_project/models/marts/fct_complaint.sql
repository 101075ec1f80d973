select *
from (
    values
    (1, 1, 'high', date '2026-01-15'),
    (2, 1, 'low', date '2026-01-16'),
    (3, 2, 'low', date '2026-02-16')
) as complaint (complaint_id, project_id, severity, received_on)
