{%- set windows = [30, 90, 180] -%}
{#- Whose leads that are undecided have run for another day, or whose leads came of age. -#}
{%- set reached -%}
    select customer_id from intermediate.int_lead_journey
    where
        coalesce(first_contract_at, lost_at) is null
        and ceil(datediff('microsecond', opened_at, {before}) / 86400e6)
        <> ceil(datediff('microsecond', opened_at, {now}) / 86400e6)
        or opened_at > {before} - interval 30 day and opened_at <= {now} - interval 30 day
        or opened_at > {before} - interval 90 day and opened_at <= {now} - interval 90 day
        or opened_at > {before} - interval 180 day and opened_at <= {now} - interval 180 day
{%- endset -%}
{#- After half a day, half of the undecided have: making all anew costs no more. -#}
{%- set late_if = "select {now} - {before} > interval 12 hour" -%}
{{- config(meta={'increment': {'by': 'customer_id', 'reached': reached, 'late_if': late_if}}) -}}
-- noqa: disable=LT02
with journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

course as (

    -- What a lead came to first decides: a contract that was cancelled later was signed. A loss counts while it stands.
    select
        journey.lead_id,
        case when journey.has_contract then 'signed' when journey.is_lost then 'lost' else 'undecided' end
            as course_outcome,
        coalesce(journey.first_contract_at, journey.lost_at, refresh.as_of) as ended_at
    from journey
    cross join refresh

),

lead_fact as (

    select
        journey.lead_id,
        journey.customer_id,
        journey.project_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        journey.employee_id,
        journey.department_id,
        journey.intent_level,
        journey.opened_at,
        journey.opened_on,
        journey.first_contract_at,
        {{ dbt.datediff('journey.opened_at', 'journey.first_contract_at', 'microsecond') }} / 86400e6
            as days_to_contract,
        coalesce(
            journey.first_visit_at, journey.first_small_booking_at, journey.first_booking_at, journey.first_contract_at
        ) is not null as has_visited,
        coalesce(journey.first_small_booking_at, journey.first_booking_at, journey.first_contract_at) is not null
            as has_small_booked,
        coalesce(journey.first_booking_at, journey.first_contract_at) is not null as has_booked,
        journey.has_contract,
        journey.is_converted,
        journey.is_lost,
        journey.is_open,
        course.course_outcome,
        cast(
            greatest(
                ceil({{ dbt.datediff('journey.opened_at', 'course.ended_at', 'microsecond') }} / 86400e6), 0
            ) as integer
        ) as course_days,
        {% for days in windows -%}
        {{ dbt.dateadd('day', days, 'journey.opened_at') }} <= refresh.as_of as is_mature_{{ days }}d,
        {{ dbt.dateadd('day', days, 'journey.opened_at') }} <= refresh.as_of
        and coalesce(
            journey.first_contract_at <= {{ dbt.dateadd('day', days, 'journey.opened_at') }}, false
        ) as has_contract_within_{{ days }}d{{ "," if not loop.last }}
        {% endfor %}
    from journey
    inner join course on journey.lead_id = course.lead_id
    left join activity on journey.activity_id = activity.activity_id
    cross join refresh

)

select * from lead_fact
