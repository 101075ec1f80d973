with reason as (

    select * from {{ source('raw', 'reason') }}
    where deleted_at is null

),

renamed as (

    select
        reason.id as reason_id,
        reason.parent_id,
        reason.kind as reason_kind,
        reason.name as reason_name,
        reason.competitor_project_id
    from reason

)

select * from renamed
