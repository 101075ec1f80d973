{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

first_visit as (

    select
        journey.lead_id,
        journey.customer_id,
        journey.project_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        journey.employee_id,
        owner_department.department_id,
        journey.first_visit_at,
        journey.first_visit_on
    from journey
    left join activity on journey.activity_id = activity.activity_id
    {{ join_department_at('departments', 'owner_department', 'journey.employee_id', 'journey.first_visit_on') }}
    where journey.first_visit_at is not null

)

select * from first_visit
