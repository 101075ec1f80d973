with department as (

    select * from {{ ref('stg_department') }}

),

named as (

    select
        department.department_id,
        department.department_name,
        department.parent_id,
        parent.department_name as parent_name
    from department
    left join department as parent on department.parent_id = parent.department_id

)

select * from named
