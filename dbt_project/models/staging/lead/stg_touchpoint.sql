with touchpoint as (

    select * from {{ source('raw', 'touchpoint') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

localised as (

    select
        touchpoint.id as touchpoint_id,
        touchpoint.customer_id,
        touchpoint.project_id,
        touchpoint.source_id,
        touchpoint.activity_id,
        touchpoint.kind as touchpoint_kind,
        touchpoint.occurred_at,
        {{ local_date('touchpoint.occurred_at') }} as occurred_on
    from touchpoint
    inner join refresh on touchpoint.occurred_at <= refresh.as_of

)

select * from localised
