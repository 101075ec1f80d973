with plans as (

    select * from {{ ref('stg_plan') }}

),

classes as (

    select * from {{ ref('stg_plan_class') }}

),

plan_dimension as (

    select
        plans.plan_id,
        plans.plan_name,
        classes.plan_class_name,
        plans.project_id,
        plans.start_on,
        plans.end_on,
        plans.budget
    from plans
    left join classes on plans.plan_class_id = classes.plan_class_id

)

select * from plan_dimension
