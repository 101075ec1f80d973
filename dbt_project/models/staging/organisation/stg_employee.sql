with employee as (

    select * from {{ source('raw', 'employee') }}
    where deleted_at is null

),

renamed as (

    select
        employee.id as employee_id,
        employee.number as employee_number,
        employee.name as employee_name,
        employee.hired_on,
        employee.left_on
    from employee

)

select * from renamed
