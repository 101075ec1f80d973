{%- set windows = [30, 90, 180] -%}
{%- set measures = [
    'leads', 'visited_leads', 'small_booked_leads', 'booked_leads', 'contracted_leads', 'converted_leads',
    'lost_leads', 'open_leads', 'mature_leads_30d', 'contracted_leads_30d', 'mature_leads_90d', 'contracted_leads_90d',
    'mature_leads_180d', 'contracted_leads_180d',
] -%}
{#- Whose leads came of age. -#}
{%- set moved -%}
    select customer_id from raw.lead
    where
        opened_at > {before} - interval 30 day and opened_at <= {now} - interval 30 day
        or opened_at > {before} - interval 90 day and opened_at <= {now} - interval 90 day
        or opened_at > {before} - interval 180 day and opened_at <= {now} - interval 180 day
{%- endset -%}
{{- config(meta={'increment': {'sum': measures, 'moved': moved}}) -}}
-- noqa: disable=LT02
with lead_fact as (

    select * from {{ ref('fct_lead') }}

),

project as (

    select * from {{ ref('dim_project') }}

),

source as (

    select * from {{ ref('dim_source') }}

),

plan as (

    select * from {{ ref('dim_plan') }}

),

activity as (

    select * from {{ ref('dim_activity') }}

),

employee as (

    select * from {{ ref('dim_employee') }}

),

department as (

    select * from {{ ref('dim_department') }}

),

customer as (

    select * from {{ ref('dim_customer') }}

),

counted as (

    -- Names come afterwards: grouping by them as well takes twice as long.
    select
        cast({{ dbt.date_trunc('month', 'lead_fact.opened_on') }} as date) as month_on,
        lead_fact.project_id,
        lead_fact.source_id,
        lead_fact.plan_id,
        lead_fact.activity_id,
        lead_fact.employee_id,
        lead_fact.department_id,
        customer.customer_class,
        customer.age_band,
        customer.income_band,
        customer.education,
        customer.occupation,
        count(*) as leads,
        {% for name, flag in [
            ('visited_leads', 'has_visited'), ('small_booked_leads', 'has_small_booked'),
            ('booked_leads', 'has_booked'), ('contracted_leads', 'has_contract'), ('converted_leads', 'is_converted'),
            ('lost_leads', 'is_lost'), ('open_leads', 'is_open'),
        ] -%}
        count(case when lead_fact.{{ flag }} then 1 end) as {{ name }},
        {% endfor -%}
        {% for days in windows -%}
        count(case when lead_fact.is_mature_{{ days }}d then 1 end) as mature_leads_{{ days }}d,
        count(case when lead_fact.has_contract_within_{{ days }}d then 1 end)
            as contracted_leads_{{ days }}d{{ "," if not loop.last }}
        {% endfor %}
    from lead_fact
    left join customer on lead_fact.customer_id = customer.customer_id
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

),

conversion as (

    select
        counted.month_on,
        counted.project_id,
        project.project_name as project,
        project.district,
        counted.source_id,
        source.source_name as source,
        source.market_type,
        counted.plan_id,
        plan.plan_name as plan,
        counted.activity_id,
        activity.activity_name as activity,
        counted.employee_id,
        employee.employee_number as employee,
        employee.employee_name,
        counted.department_id,
        department.department_name as department,
        counted.customer_class,
        counted.age_band,
        counted.income_band,
        counted.education,
        counted.occupation,
        counted.leads,
        counted.visited_leads,
        counted.small_booked_leads,
        counted.booked_leads,
        counted.contracted_leads,
        counted.converted_leads,
        counted.lost_leads,
        counted.open_leads,
        {% for days in windows -%}
        counted.mature_leads_{{ days }}d,
        counted.contracted_leads_{{ days }}d{{ "," if not loop.last }}
        {% endfor %}
    from counted
    left join project on counted.project_id = project.project_id
    left join source on counted.source_id = source.source_id
    left join plan on counted.plan_id = plan.plan_id
    left join activity on counted.activity_id = activity.activity_id
    left join employee on counted.employee_id = employee.employee_id
    left join department on counted.department_id = department.department_id

)

select * from conversion
