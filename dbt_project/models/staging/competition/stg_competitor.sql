with source as (

    select * from {{ source('raw', 'competitor') }}

),

typed as (

    select
        id as competitor_id,
        class as competitor_class,
        name as competitor_name
    from source
    where deleted_at is null

)

select * from typed
