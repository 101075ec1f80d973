{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
-- noqa: disable=LT02
with posting as (

    select * from {{ ref('int_sales_posting') }}

),

deal as (

    select * from {{ ref('int_deal') }}

),

deal_share as (

    select * from {{ ref('int_deal_share') }}

),

journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

reason as (

    select * from {{ ref('stg_reason') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

credited as (

    select
        posting.*,
        coalesce(deal_share.employee_id, posting.credit_employee_id) as employee_id,
        coalesce(deal_share.weight, cast(1 as decimal(7, 6))) as weight
    from posting
    left join deal_share on posting.deal_id = deal_share.deal_id

),

weighted as (

    select
        *,
        {{ share_of('amount', 'weight') }} as weighted_amount,
        {{ share_of('area_sqm', 'weight') }} as weighted_area
    from credited

),

sales_posting as (

    select
        concat(weighted.deal_event_id, '-', coalesce(weighted.employee_id, 0)) as sales_posting_id,
        weighted.deal_event_id,
        weighted.deal_id,
        deal.deal_chain_id,
        deal.lead_id,
        deal.customer_id,
        deal.project_id,
        deal.unit_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        weighted.employee_id,
        credit_department.department_id,
        weighted.reason_id,
        reason.competitor_project_id,
        weighted.posting_kind,
        weighted.posted_at,
        weighted.posted_on,
        weighted.weight,
        {% for count, kind in [
            ('contracts_gross', 'contract'), ('contracts_cancelled', 'contract_cancel'),
            ('bookings_gross', 'booking'), ('bookings_cancelled', 'booking_cancel'),
            ('small_bookings_gross', 'small_booking'), ('small_bookings_cancelled', 'small_booking_cancel'),
        ] -%}
        case when weighted.posting_kind = '{{ kind }}' then weighted.weight else 0 end as {{ count }},
        {% endfor -%}
        {% for measure, column in [('contract_amount', 'weighted_amount'), ('contract_area', 'weighted_area')] -%}
        case when weighted.posting_kind = 'contract' then weighted.{{ column }} else 0 end as {{ measure }}_gross,
        case when weighted.posting_kind in ('amend', 'swap') then weighted.{{ column }} else 0 end
            as {{ measure }}_amended,
        case when weighted.posting_kind = 'contract_cancel' then weighted.{{ column }} else 0 end
            as {{ measure }}_cancelled{{ "," if not loop.last }}
        {% endfor %}
    from weighted
    inner join deal on weighted.deal_id = deal.deal_id
    left join journey on deal.lead_id = journey.lead_id
    left join activity on journey.activity_id = activity.activity_id
    left join reason on weighted.reason_id = reason.reason_id
    {{ join_department_at('departments', 'credit_department', 'weighted.employee_id', 'weighted.posted_on') }}

)

select * from sales_posting
