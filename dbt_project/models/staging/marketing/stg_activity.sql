{{- config(meta={'increment': {'joined_by_key': true}}) -}}
with source as (

    select * from {{ source('raw', 'activity') }}

),

typed as (

    select
        id as activity_id,
        plan_id,
        activity_class_id,
        source_id,
        name as activity_name,
        start_on,
        end_on
    from source
    where deleted_at is null

)

select * from typed
