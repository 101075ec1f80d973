select *, date '2026-03-31' as as_of_on
from (values (1, 1, 1), (2, 1, 0), (3, 2, 0)) as unit (unit_id, project_id, is_sold)
