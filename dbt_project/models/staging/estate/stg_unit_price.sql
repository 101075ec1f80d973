with unit_price as (

    select * from {{ source('raw', 'unit_price') }}
    where deleted_at is null

),

renamed as (

    select
        unit_price.id as unit_price_id,
        unit_price.unit_id,
        unit_price.list_price,
        unit_price.floor_price,
        unit_price.valid_from_on
    from unit_price

)

select * from renamed
