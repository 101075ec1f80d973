{{- config(meta={'increment': {'by': 'demand_id', 'of': 'demand'}}) -}}
with demands as (

    select * from {{ ref('stg_demand') }}

),

events as (

    select * from {{ ref('stg_demand_event') }}

),

event_summaries as (

    select
        demand_id,
        min(case when event_kind = 'reply' then occurred_at end) as first_reply_at,
        max(case when event_kind = 'resolve' then 1 else 0 end) = 1 as was_resolved,
        max(case when event_kind = 'reopen' then 1 else 0 end) = 1 as was_reopened
    from events
    group by demand_id

),

outcomes as (

    select
        demand_id,
        event_kind,
        occurred_at,
        row_number() over (partition by demand_id order by occurred_at desc, demand_event_id desc) as recency
    from events
    where event_kind in ('resolve', 'reopen')

),

resolutions as (

    -- A demand stands resolved when nothing reopened it after its last resolve.
    select
        demand_id,
        occurred_at as resolved_at
    from outcomes
    where
        recency = 1
        and event_kind = 'resolve'

),

reply_moments as (

    select
        demands.demand_id,
        least(
            coalesce(event_summaries.first_reply_at, demands.due_at),
            coalesce(demands.due_at, event_summaries.first_reply_at)
        ) as judged_at
    from demands
    left join event_summaries on demands.demand_id = event_summaries.demand_id

),

hand_overs as (

    select
        events.demand_id,
        events.to_employee_id,
        row_number() over (
            partition by events.demand_id
            order by events.occurred_at desc, events.demand_event_id desc
        ) as recency
    from events
    inner join reply_moments on events.demand_id = reply_moments.demand_id
    where
        events.event_kind in ('assign', 'forward')
        -- Without reply and deadline every hand-over so far counts.
        and (reply_moments.judged_at is null or events.occurred_at <= reply_moments.judged_at)

),

handlers as (

    select
        demand_id,
        to_employee_id as handler_employee_id
    from hand_overs
    where recency = 1

),

handlings as (

    select
        demands.demand_id,
        event_summaries.first_reply_at,
        resolutions.resolved_at,
        coalesce(event_summaries.was_resolved, false) as was_resolved,
        coalesce(event_summaries.was_reopened, false) as was_reopened,
        handlers.handler_employee_id
    from demands
    left join event_summaries on demands.demand_id = event_summaries.demand_id
    left join resolutions on demands.demand_id = resolutions.demand_id
    left join handlers on demands.demand_id = handlers.demand_id

)

select * from handlings
