with building as (

    select * from {{ source('raw', 'building') }}
    where deleted_at is null

),

renamed as (

    select
        building.id as building_id,
        building.project_id,
        building.name as building_name,
        building.presale_permit_on,
        building.handover_on
    from building

)

select * from renamed
