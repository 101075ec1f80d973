{#- Another month of the as-of is another row of everybody who is active. -#}
{{- config(meta={'increment': {'by': 'customer_id', 'anew_each': 'month'}}) -}}
with refresh as (

    select * from {{ ref('stg_refresh') }}

),

leads as (

    select * from {{ ref('int_lead_journey') }}

),

chains as (

    select * from {{ ref('int_deal_chain') }}

),

spells as (

    select
        customer_id,
        project_id,
        opened_at as from_at,
        case when is_lost then lost_at end as to_at
    from leads

    union all

    select
        customer_id,
        project_id,
        first_event_at as from_at,
        cancelled_at as to_at
    from chains
    where
        lead_id is null
        and first_event_at is not null

),

localised as (

    -- The only dates made outside staging: the ends of a spell are moments chosen among several, so none has its own.
    select
        spells.customer_id,
        spells.project_id,
        {{ local_date('spells.from_at') }} as from_on,
        {{ local_date('coalesce(spells.to_at, refresh.as_of)') }} as to_on
    from spells
    cross join refresh

),

months as (

    select
        customer_id,
        project_id,
        {{ month_series('from_on', 'to_on') }} as month_on
    from localised

),

customer_months as (

    -- A lead and a deal without one may run in the same month: the customer counts once.
    select distinct
        concat(customer_id, '-', project_id, '-', month_on) as customer_month_id,
        customer_id,
        project_id,
        month_on
    from months

)

select * from customer_months
