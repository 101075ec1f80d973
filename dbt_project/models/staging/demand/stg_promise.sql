with source as (

    select * from {{ source('raw', 'promise') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as promise_id,
        source.customer_id,
        source.deal_id,
        source.unit_id,
        source.employee_id,
        source.made_at,
        {{ local_date('source.made_at') }} as made_on,
        source.due_on,
        source.is_kept,
        source.demand_id
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.made_at <= refresh.as_of

)

select * from counted
