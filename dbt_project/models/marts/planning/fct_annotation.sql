with annotations as (

    select * from {{ ref('stg_annotation') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

happened as (

    select
        annotations.annotation_id,
        annotations.project_id,
        annotations.happened_on,
        annotations.annotation_kind,
        annotations.annotation_title
    from annotations
    inner join refresh on annotations.happened_on <= refresh.as_of_on

)

select * from happened
