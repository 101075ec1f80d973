with employee_position as (

    select * from {{ ref('stg_employee_position') }}

),

position as (

    select * from {{ ref('stg_position') }}

),

boundary as (

    select
        employee_id,
        from_on as boundary_on
    from employee_position
    union
    select
        employee_id,
        {{ dbt.dateadd('day', 1, 'to_on') }} as boundary_on
    from employee_position
    where to_on is not null

),

segment as (

    select
        employee_id,
        cast(boundary_on as date) as from_on,
        cast(lead(boundary_on) over (partition by employee_id order by boundary_on) as date) as next_on
    from boundary

),

held as (

    -- Where two positions overlap, the one taken up later is the department's.
    select
        segment.employee_id,
        position.department_id,
        employee_position.position_id,
        segment.from_on,
        cast({{ dbt.dateadd('day', -1, 'segment.next_on') }} as date) as to_on,
        row_number() over (
            partition by segment.employee_id, segment.from_on
            order by employee_position.from_on desc, employee_position.employee_position_id desc
        ) as preference
    from segment
    inner join employee_position
        on
            segment.employee_id = employee_position.employee_id
            and segment.from_on >= employee_position.from_on
            and (employee_position.to_on is null or segment.from_on <= employee_position.to_on)
    inner join position on employee_position.position_id = position.position_id

),

employee_department as (

    select
        employee_id,
        department_id,
        position_id,
        from_on,
        to_on
    from held
    where preference = 1

)

select * from employee_department
