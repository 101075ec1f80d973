with employee_position as (

    select * from {{ source('raw', 'employee_position') }}
    where deleted_at is null

),

renamed as (

    select
        employee_position.id as employee_position_id,
        employee_position.employee_id,
        employee_position.position_id,
        employee_position.from_on,
        employee_position.to_on
    from employee_position

)

select * from renamed
