{{- config(meta={'increment': {'by': 'deal_chain_id', 'of': 'deal'}}) -}}
with chains as (

    select * from {{ ref('int_deal_chain') }}

),

touchpoints as (

    select * from {{ ref('stg_touchpoint') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

sources as (

    select * from {{ ref('stg_source') }}

),

touches as (

    select
        chains.deal_chain_id,
        touchpoints.touchpoint_id,
        touchpoints.occurred_at,
        touchpoints.source_id,
        touchpoints.activity_id,
        coalesce(sources.market_type = 'direct', false) as is_direct,
        -- Counted in microseconds, so that time decay sees fractions of a day.
        {{ dbt.datediff('touchpoints.occurred_at', 'chains.first_event_at', 'microsecond') }} / 86400e6 as days_before
    from chains
    inner join survivors on chains.customer_id = survivors.survivor_id
    inner join touchpoints
        on
            survivors.customer_id = touchpoints.customer_id
            and chains.project_id = touchpoints.project_id
            and chains.first_event_at >= touchpoints.occurred_at
            and {{ dbt.dateadd('day', -180, 'chains.first_event_at') }} <= touchpoints.occurred_at
    left join sources on touchpoints.source_id = sources.source_id

),

paths as (

    select
        *,
        row_number() over (partition by deal_chain_id order by occurred_at, touchpoint_id) as touch_number,
        count(*) over (partition by deal_chain_id) as touch_count
    from touches

)

select * from paths
