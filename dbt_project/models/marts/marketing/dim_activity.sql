with activities as (

    select * from {{ ref('stg_activity') }}

),

classes as (

    select * from {{ ref('stg_activity_class') }}

),

activity_dimension as (

    select
        activities.activity_id,
        activities.activity_name,
        classes.activity_class_name,
        activities.plan_id,
        activities.source_id,
        activities.start_on,
        activities.end_on
    from activities
    left join classes on activities.activity_class_id = classes.activity_class_id

)

select * from activity_dimension
