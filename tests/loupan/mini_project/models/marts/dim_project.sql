select *
from (
    values
    (1, 'River Bay', 'East'),
    (2, 'O''Brien "Tower" {{ '{{ 1/0 }}' }}; drop table dim_project; -- 滨江 🏠', 'West'),
    (3, 'Empty Estate', null)
) as project (project_id, project, district)
