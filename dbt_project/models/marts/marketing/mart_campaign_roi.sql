{{- config(meta={'increment': {'follows': 'int_campaign'}}) -}}
with sums as (

    select * from {{ ref('int_campaign') }}

),

projects as (

    select * from {{ ref('dim_project') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

plans as (

    select * from {{ ref('dim_plan') }}

),

activities as (

    select * from {{ ref('dim_activity') }}

),

campaigns as (

    select
        attribution_model,
        month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        leads,
        marketing_expense,
        {{ number_of_sum('attributed_contracts', 12) }} as attributed_contracts,
        {{ number_of_sum('attributed_amount', 4) }} as attributed_amount,
        -- A sum passes over what is missing; a margin with a hole in it is no margin.
        case when missing_margins = 0 then {{ number_of_sum('attributed_margin', 4) }} end as attributed_margin
    from sums

),

campaign_returns as (

    select
        campaigns.attribution_model,
        campaigns.month_on,
        campaigns.project_id,
        projects.project_name as project,
        campaigns.source_id,
        sources.source_name as source,
        sources.market_type,
        campaigns.plan_id,
        plans.plan_name as plan,
        campaigns.activity_id,
        activities.activity_name as activity,
        cast(campaigns.leads as bigint) as leads,
        cast(campaigns.marketing_expense as decimal(18, 2)) as marketing_expense,
        campaigns.attributed_contracts,
        campaigns.attributed_amount,
        campaigns.attributed_margin,
        cast(campaigns.attributed_amount / nullif(campaigns.marketing_expense, 0) as double) as return_on_expense,
        cast(
            (campaigns.attributed_margin - campaigns.marketing_expense) / nullif(campaigns.marketing_expense, 0)
            as double
        ) as roi
    from campaigns
    left join projects on campaigns.project_id = projects.project_id
    left join sources on campaigns.source_id = sources.source_id
    left join plans on campaigns.plan_id = plans.plan_id
    left join activities on campaigns.activity_id = activities.activity_id

)

select * from campaign_returns
