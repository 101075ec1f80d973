{{- config(meta={'increment': {'by': 'customer_id', 'shared': "attribution_model = 'markov'"}}) -}}
with credits as (

    select * from {{ ref('int_attribution') }}

),

chains as (

    select * from {{ ref('int_deal_chain') }}

),

projects as (

    select * from {{ ref('stg_project') }}

),

activities as (

    select * from {{ ref('stg_activity') }}

),

attributions as (

    select
        concat(credits.deal_chain_id, '-', credits.attribution_model, '-', coalesce(credits.touchpoint_id, 0))
            as attribution_id,
        credits.deal_chain_id,
        credits.attribution_model,
        credits.touchpoint_id,
        chains.first_contract_on,
        chains.customer_id,
        mod(chains.customer_id, 100) as resampling_group,
        chains.project_id,
        credits.source_id,
        credits.activity_id,
        activities.plan_id,
        credits.credit,
        credits.credit * chains.present_amount as amount,
        credits.credit * chains.present_amount * projects.gross_margin_rate as margin
    from credits
    inner join chains on credits.deal_chain_id = chains.deal_chain_id
    inner join projects on chains.project_id = projects.project_id
    left join activities on credits.activity_id = activities.activity_id

)

select * from attributions
