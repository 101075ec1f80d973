{{- config(meta={'increment': {'joined_by_key': true}}) -}}
with unit as (

    select * from {{ source('raw', 'unit') }}
    where deleted_at is null

),

renamed as (

    select
        unit.id as unit_id,
        unit.building_id,
        unit.number as unit_number,
        unit.floor,
        unit.layout,
        unit.area_sqm,
        unit.list_price,
        unit.status as unit_status
    from unit

)

select * from renamed
