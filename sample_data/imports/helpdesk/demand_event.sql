-- One event per line. What activities 1 to 9 mean is not published with the log, so the kinds follow from where an
-- activity stands in its case:
--   6 ends every one of the 3,804 cases                                 -> resolve
--   another activity directly after a 6 takes the case up again         -> reopen
--   1 and 3 begin all but 52 cases (3 stands nowhere else)              -> assign
--   2, 4, 5, 7, 8, 9 lie between: a step on the way, by whom is unknown -> forward
-- No activity is taken for a reply to the customer: reply times of this log are "no data". Whoever knows the numbers
-- changes the case expression.
with numbered as (
    select
        "CaseID" as case_key,
        cast("ActivityID" as integer) as activity,
        cast("CompleteTimestamp" as timestamp) as occurred_at,
        row_number() over () as line
    from helpdesk
),

step as (
    select
        *,
        row_number() over (partition by case_key order by occurred_at, line) as position,
        lag(activity) over (partition by case_key order by occurred_at, line) as activity_before
    from numbered
)

select
    'helpdesk-' || case_key || '-' || position as external_ref,
    'helpdesk-' || case_key as demand_ref,
    case
        when activity = 6 then 'resolve'
        when activity_before = 6 then 'reopen'
        when activity in (1, 3) then 'assign'
        else 'forward'
    end as kind,
    occurred_at,
    'Activity ' || activity as note
from step
order by line
