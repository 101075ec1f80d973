{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with demands as (

    select * from {{ ref('stg_demand') }}
    where duplicate_of_id is null

),

categories as (

    select * from {{ ref('stg_demand_category') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

handlings as (

    select * from {{ ref('int_demand_handling') }}

),

follow_ups as (

    select * from {{ ref('int_demand_follow_up') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

masters as (

    select
        demands.demand_id,
        survivors.survivor_id as customer_id,
        demands.project_id,
        demands.demand_category_id,
        categories.category_kind,
        demands.phase,
        demands.channel,
        demands.severity,
        demands.received_at,
        demands.received_on,
        demands.withdrawn_at is not null as is_withdrawn,
        demands.is_founded,
        categories.category_kind = 'complaint'
        and demands.withdrawn_at is null
        and coalesce(demands.is_founded, true) as is_valid_complaint,
        demands.responsible_employee_id,
        demands.due_at,
        demands.due_on,
        demands.withdrawn_at is null and coalesce(demands.is_due, false) as is_reply_due,
        handlings.first_reply_at,
        handlings.first_reply_at is not null and handlings.first_reply_at <= demands.due_at as is_reply_timely,
        {{ dbt.datediff('demands.received_at', 'handlings.first_reply_at', 'microsecond') }} / 60e6
            as first_reply_minutes,
        handlings.handler_employee_id,
        handlings.was_resolved,
        handlings.was_reopened,
        handlings.resolved_at,
        handlings.resolved_at is not null as is_resolved,
        {{ dbt.datediff('demands.received_at', 'handlings.resolved_at', 'microsecond') }} / 3600e6 as resolution_hours,
        coalesce(follow_ups.was_followed_up, false) as was_followed_up,
        follow_ups.rated_on,
        follow_ups.satisfaction,
        follow_ups.resolver_employee_id
    from demands
    inner join categories on demands.demand_category_id = categories.demand_category_id
    inner join survivors on demands.customer_id = survivors.customer_id
    inner join handlings on demands.demand_id = handlings.demand_id
    left join follow_ups on demands.demand_id = follow_ups.demand_id

),

demand_facts as (

    select
        masters.*,
        responsible_departments.department_id as responsible_department_id,
        handler_departments.department_id as handler_department_id,
        reply_departments.department_id as reply_department_id,
        resolver_departments.department_id as resolver_department_id
    from masters
    {{ join_department_at(
        'departments', 'responsible_departments', 'masters.responsible_employee_id', 'masters.received_on'
    ) }}
    {{ join_department_at('departments', 'handler_departments', 'masters.handler_employee_id', 'masters.received_on') }}
    {{ join_department_at('departments', 'reply_departments', 'masters.handler_employee_id', 'masters.due_on') }}
    {{ join_department_at('departments', 'resolver_departments', 'masters.resolver_employee_id', 'masters.rated_on') }}

)

select * from demand_facts
