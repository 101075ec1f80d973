with source as (

    select * from {{ source('raw', 'fee_type') }}

),

typed as (

    select
        id as fee_type_id,
        name as fee_type_name,
        unit,
        rate
    from source
    where deleted_at is null

)

select * from typed
