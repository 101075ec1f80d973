{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with lead_event as (

    select * from {{ ref('stg_lead_event') }}

),

lead as (

    select * from {{ ref('stg_lead') }}

),

lead_member as (

    select * from {{ ref('int_lead_member') }}

),

journey as (

    select * from {{ ref('int_lead_journey') }}

),

deal as (

    select * from {{ ref('int_deal') }}

),

deal_event as (

    select * from {{ ref('int_deal_event') }}

),

touchpoint as (

    select * from {{ ref('stg_touchpoint') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

happened as (

    select
        'lead_event' as recorded_in,
        lead_event.lead_event_id as event_number,
        lead_member.collapsed_lead_id as lead_id,
        lead_event.event_kind,
        lead_event.occurred_at,
        lead_event.occurred_on,
        lead_event.is_effective,
        lead_event.reason_id,
        cast(null as bigint) as source_id
    from lead_event
    inner join lead_member on lead_event.lead_id = lead_member.lead_id
    union all
    -- The same customer asked for the same project once more.
    select
        'lead' as recorded_in,
        lead.lead_id as event_number,
        lead_member.collapsed_lead_id as lead_id,
        'asked_again' as event_kind,
        lead.opened_at as occurred_at,
        lead.opened_on as occurred_on,
        cast(null as boolean) as is_effective,
        cast(null as bigint) as reason_id,
        lead.source_id
    from lead
    inner join lead_member on lead.lead_id = lead_member.lead_id
    where lead_member.collapsed_lead_id <> lead.lead_id
    union all
    select
        'deal_event' as recorded_in,
        deal_event.deal_event_id as event_number,
        deal.lead_id,
        deal_event.event_kind,
        deal_event.occurred_at,
        deal_event.occurred_on,
        cast(null as boolean) as is_effective,
        deal_event.reason_id,
        cast(null as bigint) as source_id
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    union all
    select
        'touchpoint' as recorded_in,
        touchpoint.touchpoint_id as event_number,
        journey.lead_id,
        'touchpoint' as event_kind,
        touchpoint.occurred_at,
        touchpoint.occurred_on,
        cast(null as boolean) as is_effective,
        cast(null as bigint) as reason_id,
        touchpoint.source_id
    from touchpoint
    inner join survivor on touchpoint.customer_id = survivor.customer_id
    inner join journey
        on survivor.survivor_id = journey.customer_id and touchpoint.project_id = journey.project_id

),

lead_history as (

    select
        concat(happened.recorded_in, '-', happened.event_number) as lead_event_key,
        happened.recorded_in,
        happened.event_number,
        journey.lead_id,
        journey.customer_id,
        journey.project_id,
        happened.event_kind,
        happened.occurred_at,
        happened.occurred_on,
        happened.is_effective,
        happened.reason_id,
        happened.source_id
    from happened
    inner join journey on happened.lead_id = journey.lead_id

)

select * from lead_history
