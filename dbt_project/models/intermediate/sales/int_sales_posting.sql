{{- config(meta={'increment': {'by': 'deal_id', 'of': 'deal'}}) -}}
with deal_event as (

    select * from {{ ref('int_deal_event') }}

),

own_before as (

    -- What the same deal stood at just before the event.
    select
        deal_event_id,
        contract_sequence,
        lag(contract_sequence) over (partition by deal_id order by event_sequence) as contract_sequence_before,
        lag(amount_after) over (partition by deal_id order by event_sequence) as amount_before,
        lag(area_after) over (partition by deal_id order by event_sequence) as area_before
    from deal_event

),

given_up as (

    -- What the deal that is swapped away stood at when the new contract was signed.
    select
        swap.deal_event_id,
        old.amount_after as amount_before,
        old.area_after as area_before,
        row_number() over (partition by swap.deal_event_id order by old.event_sequence desc) as recency
    from deal_event as swap
    inner join deal_event as old
        on swap.swapped_from_id = old.deal_id and old.occurred_at <= swap.occurred_at
    where swap.posting_kind = 'swap'

),

replaced as (

    select
        deal_event.*,
        case
            when own_before.contract_sequence_before is not null then own_before.amount_before
            else coalesce(given_up.amount_before, 0)
        end as amount_before,
        case
            when own_before.contract_sequence_before is not null then own_before.area_before
            else coalesce(given_up.area_before, 0)
        end as area_before
    from deal_event
    inner join own_before on deal_event.deal_event_id = own_before.deal_event_id
    left join given_up on deal_event.deal_event_id = given_up.deal_event_id and given_up.recency = 1
    where deal_event.posting_kind is not null

),

posting as (

    select
        deal_event_id,
        deal_id,
        posting_kind,
        occurred_at as posted_at,
        occurred_on as posted_on,
        cast(case when posting_kind = 'swap' then amount - amount_before else amount end as decimal(28, 2)) as amount,
        cast(
            case
                when posting_kind = 'swap' then area_sqm - area_before
                when posting_kind in ('contract', 'contract_cancel') then area_sqm
                else 0
            end as decimal(28, 2)
        ) as area_sqm,
        reason_id,
        credit_employee_id
    from replaced

)

select * from posting
