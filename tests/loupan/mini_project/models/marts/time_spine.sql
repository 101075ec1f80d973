select cast(day_on as date) as day_on
from generate_series(timestamp '2025-01-01', timestamp '2027-01-01', interval 1 day) as spine (day_on)
