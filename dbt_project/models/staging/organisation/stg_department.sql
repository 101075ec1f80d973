with department as (

    select * from {{ source('raw', 'department') }}
    where deleted_at is null

),

renamed as (

    select
        department.id as department_id,
        department.parent_id,
        department.name as department_name
    from department

)

select * from renamed
