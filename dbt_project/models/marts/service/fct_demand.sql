{#- Whose unresolved demands have waited another day. -#}
{%- set reached -%}
    select customer_id from intermediate.int_demand
    where
        not is_resolved
        and ceil(datediff('microsecond', received_at, {before}) / 86400e6)
        <> ceil(datediff('microsecond', received_at, {now}) / 86400e6)
{%- endset -%}
{{- config(meta={'increment': {'by': 'customer_id', 'reached': reached}}) -}}
with demands as (

    select * from {{ ref('int_demand') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

demand_facts as (

    select
        demands.demand_id,
        demands.customer_id,
        demands.project_id,
        demands.demand_category_id,
        demands.category_kind,
        demands.phase,
        demands.channel,
        demands.severity,
        demands.received_at,
        demands.received_on,
        demands.is_withdrawn,
        demands.is_founded,
        demands.is_valid_complaint,
        demands.responsible_employee_id,
        demands.due_at,
        demands.due_on,
        demands.is_reply_due,
        demands.first_reply_at,
        demands.is_reply_timely,
        demands.first_reply_minutes,
        demands.handler_employee_id,
        demands.was_resolved,
        demands.was_reopened,
        demands.resolved_at,
        demands.is_resolved,
        demands.resolution_hours,
        cast(
            greatest(
                ceil(
                    {{ dbt.datediff(
                        'demands.received_at', 'coalesce(demands.resolved_at, refresh.as_of)', 'microsecond'
                    ) }} / 86400e6
                ),
                0
            ) as integer
        ) as resolution_days,
        demands.was_followed_up,
        demands.rated_on,
        demands.satisfaction,
        demands.resolver_employee_id,
        demands.responsible_department_id,
        demands.handler_department_id,
        demands.reply_department_id,
        demands.resolver_department_id
    from demands
    cross join refresh

)

select * from demand_facts
