{{- config(materialized='view') -}}
with expenses as (

    select * from {{ ref('stg_expense') }}
    where status in ('approved', 'paid')

),

activities as (

    select * from {{ ref('stg_activity') }}

),

expense_facts as (

    select
        expenses.expense_id,
        expenses.incurred_on,
        expenses.project_id,
        coalesce(expenses.plan_id, activities.plan_id) as plan_id,
        expenses.activity_id,
        activities.source_id,
        expenses.expense_category_id,
        expenses.status,
        expenses.amount
    from expenses
    left join activities on expenses.activity_id = activities.activity_id

)

select * from expense_facts
