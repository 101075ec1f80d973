select *
from (
    values
    (1, 1, 'first', date '2026-01-20', 1.0::double, 1000.0::double),
    (2, 1, 'last', date '2026-01-20', 0.5, 600.0),
    (3, 2, 'last', date '2026-01-20', 0.5, 400.0)
) as attribution (attribution_id, project_id, attribution_model, contracted_on, credit, credited_amount)
