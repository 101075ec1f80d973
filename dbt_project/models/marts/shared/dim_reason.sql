with reason as (

    select * from {{ ref('stg_reason') }}

),

named as (

    select
        reason.reason_id,
        reason.reason_kind,
        reason.reason_name,
        reason.parent_id,
        parent.reason_name as parent_name,
        reason.competitor_project_id
    from reason
    left join reason as parent on reason.parent_id = parent.reason_id

)

select * from named
