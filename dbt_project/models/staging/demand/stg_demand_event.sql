with source as (

    select * from {{ source('raw', 'demand_event') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as demand_event_id,
        source.demand_id,
        source.kind as event_kind,
        source.occurred_at,
        {{ local_date('source.occurred_at') }} as occurred_on,
        source.employee_id,
        source.to_employee_id,
        source.created_at as entered_at
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.occurred_at <= refresh.as_of

)

select * from counted
