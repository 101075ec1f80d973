select *
from (
    values
    (1, 1, 1, 'high', date '2026-01-15', 'Service'),
    (2, 1, 1, 'high', date '2026-01-15', 'Service / Slow'),
    (3, 2, 1, 'low', date '2026-01-16', 'Service'),
    (4, 3, 2, 'low', date '2026-02-16', 'Quality')
) as complaint_category (complaint_category_id, complaint_id, project_id, severity, received_on, demand_category)
