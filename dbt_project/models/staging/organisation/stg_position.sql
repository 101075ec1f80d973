with position as (

    select * from {{ source('raw', 'position') }}
    where deleted_at is null

),

renamed as (

    select
        position.id as position_id,
        position.department_id,
        position.name as position_name
    from position

)

select * from renamed
