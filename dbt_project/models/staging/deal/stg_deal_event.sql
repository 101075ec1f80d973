with deal_event as (

    select * from {{ source('raw', 'deal_event') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

localised as (

    select
        deal_event.id as deal_event_id,
        deal_event.deal_id,
        deal_event.kind as event_kind,
        deal_event.occurred_at,
        {{ local_date('deal_event.occurred_at') }} as occurred_on,
        deal_event.amount,
        deal_event.employee_id,
        deal_event.reason_id,
        deal_event.created_at as entered_at
    from deal_event
    inner join refresh on deal_event.occurred_at <= refresh.as_of

)

select * from localised
