{#- Who has been silent for so long by now that nothing more is expected. -#}
{%- set moved -%}
    select customer_id from raw.touchpoint
    where occurred_at > {before} - interval 180 day and occurred_at <= {now} - interval 180 day
{%- endset -%}
{{- config(meta={'increment': {'by': 'customer_id', 'moved': moved}}) -}}
with chains as (

    select * from {{ ref('int_deal_chain') }}

),

sold_paths as (

    select
        paths.deal_chain_id,
        chains.customer_id,
        chains.project_id,
        paths.touch_number,
        paths.source_id
    from {{ ref('int_touchpoint_path') }} as paths
    inner join chains on paths.deal_chain_id = chains.deal_chain_id
    where chains.is_live

),

leads as (

    select * from {{ ref('int_lead_journey') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

touches as (

    select
        survivors.survivor_id as customer_id,
        touchpoints.project_id,
        touchpoints.touchpoint_id,
        touchpoints.source_id,
        touchpoints.occurred_at
    from {{ ref('stg_touchpoint') }} as touchpoints
    inner join survivors on touchpoints.customer_id = survivors.customer_id

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

silent as (

    -- Who was reached and never asked has decided once no touch could count towards a contract of today.
    select
        touches.customer_id,
        touches.project_id,
        max(touches.occurred_at) as closed_at
    from touches
    left join leads on touches.customer_id = leads.customer_id and touches.project_id = leads.project_id
    where leads.lead_id is null
    group by touches.customer_id, touches.project_id

),

closed as (

    select
        customer_id,
        project_id,
        lost_at as closed_at
    from leads
    where is_lost

    union all

    select
        silent.customer_id,
        silent.project_id,
        silent.closed_at
    from silent
    cross join refresh
    where {{ dbt.dateadd('day', 180, 'silent.closed_at') }} <= refresh.as_of

),

unsold as (

    select closed.*
    from closed
    left join chains
        on
            closed.customer_id = chains.customer_id
            and closed.project_id = chains.project_id
            and (chains.is_live or chains.lead_id is null)
    where chains.deal_chain_id is null

),

unsold_paths as (

    select
        unsold.customer_id,
        unsold.project_id,
        touches.source_id,
        row_number() over (
            partition by unsold.customer_id, unsold.project_id order by touches.occurred_at, touches.touchpoint_id
        ) as touch_number
    from unsold
    inner join touches
        on
            unsold.customer_id = touches.customer_id
            and unsold.project_id = touches.project_id
            and unsold.closed_at >= touches.occurred_at
            and {{ dbt.dateadd('day', -180, 'unsold.closed_at') }} <= touches.occurred_at

),

paths as (

    select
        concat('contract-', deal_chain_id) as channel_path_id,
        customer_id,
        project_id,
        true as is_sold,
        touch_number,
        coalesce(source_id, 0) as channel_id
    from sold_paths

    union all

    select
        concat('none-', customer_id, '-', project_id) as channel_path_id,
        customer_id,
        project_id,
        false as is_sold,
        touch_number,
        coalesce(source_id, 0) as channel_id
    from unsold_paths

)

select * from paths
