with source as (

    select * from {{ source('raw', 'source') }}
    where deleted_at is null

),

renamed as (

    select
        source.id as source_id,
        source.parent_id,
        source.name as source_name,
        source.market_type
    from source

)

select * from renamed
