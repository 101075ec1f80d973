with source as (

    select * from {{ source('raw', 'demand_category') }}

),

typed as (

    select
        id as demand_category_id,
        parent_id,
        kind as category_kind,
        name as demand_category_name
    from source
    where deleted_at is null

)

select * from typed
