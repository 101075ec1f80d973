{{- config(meta={'increment': {'by': 'deal_id', 'of': 'deal'}}) -}}
-- noqa: disable=LT02
with deal_event as (

    select * from {{ ref('stg_deal_event') }}

),

deal as (

    select * from {{ ref('stg_deal') }}

),

unit as (

    select * from {{ ref('stg_unit') }}

),

ordered as (

    select
        deal_event.deal_event_id,
        deal_event.deal_id,
        deal.swapped_from_id,
        deal_event.event_kind,
        deal_event.occurred_at,
        deal_event.occurred_on,
        coalesce(deal_event.amount, 0) as amount,
        coalesce(unit.area_sqm, 0) as area_sqm,
        deal_event.employee_id,
        deal_event.reason_id,
        row_number() over (
            partition by deal_event.deal_id order by deal_event.occurred_at, deal_event.deal_event_id
        ) as event_sequence
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    left join unit on deal.unit_id = unit.unit_id

),

situated as (

    select
        *,
        {% for kind in ['contract', 'booking', 'small_booking', 'cancel', 'swap'] -%}
        max(case when event_kind = '{{ kind }}' then event_sequence end) over (
            partition by deal_id order by event_sequence
            rows between unbounded preceding and current row
        ) as {{ kind }}_sequence{{ "," if not loop.last }}
        {% endfor %}
    from ordered

),

priced as (

    -- The price in force: that of the latest contract event and the amendments since.
    select
        *,
        sum(case when event_kind in ('contract', 'amend') then amount else 0 end) over (
            partition by deal_id, contract_sequence order by event_sequence
            rows between unbounded preceding and current row
        ) as contract_amount,
        contract_sequence is not null and contract_sequence > coalesce(cancel_sequence, 0) as is_under_contract
    from situated

),

posted as (

    select
        *,
        case
            when event_kind = 'contract' and swapped_from_id is null then 'contract'
            when event_kind = 'contract' then 'swap'
            when event_kind = 'amend' and contract_sequence is not null then 'amend'
            when event_kind = 'cancel' and contract_sequence is not null then 'contract_cancel'
            when event_kind = 'booking' and swapped_from_id is null then 'booking'
            when event_kind = 'cancel' and booking_sequence is not null then 'booking_cancel'
            when event_kind = 'small_booking' and swapped_from_id is null then 'small_booking'
            when event_kind = 'cancel' and small_booking_sequence is not null then 'small_booking_cancel'
        end as posting_kind,
        case
            when event_kind in ('contract', 'booking', 'small_booking') then event_sequence
            else coalesce(contract_sequence, booking_sequence, small_booking_sequence)
        end as credit_sequence
    from priced

),

final as (

    select
        posted.deal_event_id,
        posted.deal_id,
        posted.swapped_from_id,
        posted.event_sequence,
        posted.event_kind,
        posted.posting_kind,
        posted.occurred_at,
        posted.occurred_on,
        posted.amount,
        posted.area_sqm,
        posted.reason_id,
        posted.contract_sequence,
        posted.is_under_contract,
        cast(case when posted.is_under_contract then posted.contract_amount else 0 end as decimal(28, 2))
            as amount_after,
        case when posted.is_under_contract then posted.area_sqm else 0 end as area_after,
        case
            when posted.contract_sequence is not null
                then coalesce(posted.swap_sequence, 0) > posted.contract_sequence
            else posted.swap_sequence is not null
        end as is_given_up,
        coalesce(posted.cancel_sequence, 0) > greatest(
            coalesce(posted.contract_sequence, 0),
            coalesce(posted.booking_sequence, 0),
            coalesce(posted.small_booking_sequence, 0)
        ) as is_cancelled,
        credited.employee_id as credit_employee_id
    from posted
    left join ordered as credited
        on posted.deal_id = credited.deal_id and posted.credit_sequence = credited.event_sequence

)

select * from final
