{{- config(meta={'increment': {'whole': true}}) -}}
with source as (

    select * from {{ source('raw', 'expense') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as expense_id,
        source.plan_id,
        source.activity_id,
        source.expense_category_id,
        source.project_id,
        source.incurred_on,
        source.amount,
        source.status,
        source.employee_id,
        source.created_at as entered_at
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.incurred_on <= refresh.as_of_on

)

select * from counted
