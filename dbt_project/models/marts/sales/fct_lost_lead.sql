{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

reason as (

    select * from {{ ref('stg_reason') }}

),

lost_lead as (

    select
        journey.lead_id,
        journey.customer_id,
        journey.project_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        journey.employee_id,
        journey.department_id,
        journey.opened_on,
        journey.lost_at,
        journey.lost_reason_id as reason_id,
        reason.competitor_project_id
    from journey
    left join activity on journey.activity_id = activity.activity_id
    left join reason on journey.lost_reason_id = reason.reason_id
    where journey.is_lost

)

select * from lost_lead
