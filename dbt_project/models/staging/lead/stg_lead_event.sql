with lead_event as (

    select * from {{ source('raw', 'lead_event') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

localised as (

    select
        lead_event.id as lead_event_id,
        lead_event.lead_id,
        lead_event.kind as event_kind,
        lead_event.occurred_at,
        {{ local_date('lead_event.occurred_at') }} as occurred_on,
        lead_event.employee_id,
        lead_event.is_effective,
        lead_event.reason_id,
        lead_event.created_at as entered_at
    from lead_event
    inner join refresh on lead_event.occurred_at <= refresh.as_of

)

select * from localised
