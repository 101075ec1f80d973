{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with lead_event as (

    select * from {{ ref('stg_lead_event') }}

),

lead_member as (

    select * from {{ ref('int_lead_member') }}

),

journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

visit as (

    select
        lead_event.lead_event_id,
        journey.lead_id,
        journey.customer_id,
        journey.project_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        lead_event.employee_id,
        host_department.department_id,
        lead_event.occurred_at as visited_at,
        lead_event.occurred_on as visited_on
    from lead_event
    inner join lead_member on lead_event.lead_id = lead_member.lead_id
    inner join journey on lead_member.collapsed_lead_id = journey.lead_id
    left join activity on journey.activity_id = activity.activity_id
    {{ join_department_at('departments', 'host_department', 'lead_event.employee_id', 'lead_event.occurred_on') }}
    where lead_event.event_kind = 'visit' and lead_event.is_effective

)

select * from visit
