with employee as (

    select * from {{ ref('stg_employee') }}

),

described as (

    select
        employee_id,
        employee_number,
        employee_name,
        hired_on,
        left_on
    from employee

)

select * from described
