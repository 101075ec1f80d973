with source as (

    select * from {{ source('raw', 'demand') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as demand_id,
        source.customer_id,
        source.project_id,
        source.unit_id,
        source.demand_category_id,
        source.phase,
        source.channel,
        source.severity,
        source.received_at,
        {{ local_date('source.received_at') }} as received_on,
        source.due_at,
        {{ local_date('source.due_at') }} as due_on,
        source.due_at <= refresh.as_of as is_due,
        source.responsible_employee_id,
        source.duplicate_of_id,
        case when source.withdrawn_at <= refresh.as_of then source.withdrawn_at end as withdrawn_at,
        source.is_founded,
        source.created_at as entered_at
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.received_at <= refresh.as_of

)

select * from counted
