with attributions as (

    select * from {{ ref('fct_attribution') }}

),

expenses as (

    select * from {{ ref('fct_expense_by_model') }}

),

leads as (

    select * from {{ ref('fct_lead') }}

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

attribution_models as (

    {{ attribution_model_rows() }}

),

lead_counts as (

    select
        cast({{ dbt.date_trunc('month', 'opened_on') }} as date) as month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        count(*) as leads
    from leads
    group by 1, 2, 3, 4, 5

),

attributed as (

    select
        attribution_model,
        cast({{ dbt.date_trunc('month', 'first_contract_on') }} as date) as month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        {{ sum_of_decimals('credit', 12) }} as attributed_contracts,
        {{ sum_of_decimals('amount', 4) }} as attributed_amount,
        -- A sum passes over what is missing; a margin with a hole in it is no margin.
        case when count(*) = count(margin) then {{ sum_of_decimals('margin', 4) }} end as attributed_margin
    from attributions
    group by 1, 2, 3, 4, 5, 6

),

contributions as (

    select
        attribution_models.attribution_model,
        lead_counts.*,
        0 as marketing_expense,
        0 as attributed_contracts,
        0 as attributed_amount,
        0 as attributed_margin
    from lead_counts
    cross join attribution_models

    union all

    select
        attribution_model,
        cast({{ dbt.date_trunc('month', 'incurred_on') }} as date) as month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        0 as leads,
        amount as marketing_expense,
        0 as attributed_contracts,
        0 as attributed_amount,
        0 as attributed_margin
    from expenses

    union all

    select
        attribution_model,
        month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        0 as leads,
        0 as marketing_expense,
        attributed_contracts,
        attributed_amount,
        attributed_margin
    from attributed

),

campaigns as (

    select
        attribution_model,
        month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        sum(leads) as leads,
        sum(marketing_expense) as marketing_expense,
        sum(attributed_contracts) as attributed_contracts,
        sum(attributed_amount) as attributed_amount,
        case when count(*) = count(attributed_margin) then sum(attributed_margin) end as attributed_margin
    from contributions
    group by 1, 2, 3, 4, 5, 6

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
        cast(campaigns.attributed_contracts as double) as attributed_contracts,
        cast(campaigns.attributed_amount as double) as attributed_amount,
        cast(campaigns.attributed_margin as double) as attributed_margin,
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
