{%- set measures = [
    'row_count', 'leads', 'marketing_expense', 'attributed_contracts', 'attributed_amount', 'attributed_margin',
    'missing_margins',
] -%}
{{- config(meta={'increment': {'sum': measures}}) -}}
with attributions as (

    select * from {{ ref('fct_attribution') }}

),

expenses as (

    select * from {{ ref('int_expense') }}

),

leads as (

    select * from {{ ref('fct_lead') }}

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
        count(*) as row_count,
        count(*) as leads,
        0 as marketing_expense
    from leads
    group by 1, 2, 3, 4, 5

),

expense_sums as (

    select
        cast({{ dbt.date_trunc('month', 'incurred_on') }} as date) as month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        count(*) as row_count,
        0 as leads,
        sum(amount) as marketing_expense
    from expenses
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
        count(*) as row_count,
        {{ sum_to_add_up('credit', 12) }} as attributed_contracts,
        {{ sum_to_add_up('amount', 4) }} as attributed_amount,
        {{ sum_to_add_up('margin', 4) }} as attributed_margin,
        count(*) - count(margin) as missing_margins
    from attributions
    group by 1, 2, 3, 4, 5, 6

),

-- The same under every attribution model.
spread as (

    select * from lead_counts
    union all
    select * from expense_sums

),

contributions as (

    select
        attribution_models.attribution_model,
        spread.*,
        0 as attributed_contracts,
        0 as attributed_amount,
        0 as attributed_margin,
        0 as missing_margins
    from spread
    cross join attribution_models

    union all

    select
        attribution_model,
        month_on,
        project_id,
        source_id,
        plan_id,
        activity_id,
        row_count,
        0 as leads,
        0 as marketing_expense,
        attributed_contracts,
        attributed_amount,
        coalesce(attributed_margin, 0) as attributed_margin,
        missing_margins
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
        cast(sum(row_count) as bigint) as row_count,
        cast(sum(leads) as bigint) as leads,
        cast(sum(marketing_expense) as decimal(38, 2)) as marketing_expense,
        cast(sum(attributed_contracts) as decimal(38, 18)) as attributed_contracts,
        cast(sum(attributed_amount) as decimal(38, 10)) as attributed_amount,
        cast(sum(attributed_margin) as decimal(38, 10)) as attributed_margin,
        cast(sum(missing_margins) as bigint) as missing_margins
    from contributions
    group by 1, 2, 3, 4, 5, 6

)

select * from campaigns
