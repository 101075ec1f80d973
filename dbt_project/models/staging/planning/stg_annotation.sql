with source as (

    select * from {{ source('raw', 'annotation') }}

),

typed as (

    select
        id as annotation_id,
        project_id,
        happened_on,
        kind as annotation_kind,
        title as annotation_title
    from source
    where deleted_at is null

)

select * from typed
