{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with deal as (

    select * from {{ ref('int_deal') }}

),

deal_event as (

    select * from {{ ref('int_deal_event') }}

),

first_contract as (

    select
        deal.deal_chain_id,
        deal_event.deal_id,
        deal_event.occurred_at,
        deal_event.occurred_on,
        deal_event.credit_employee_id,
        row_number() over (
            partition by deal.deal_chain_id order by deal_event.occurred_at, deal_event.deal_event_id
        ) as preference
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    where deal_event.event_kind = 'contract'

),

last_cancellation as (

    select
        deal.deal_chain_id,
        deal_event.reason_id,
        row_number() over (
            partition by deal.deal_chain_id order by deal_event.occurred_at desc, deal_event.deal_event_id desc
        ) as preference
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    where deal_event.posting_kind = 'contract_cancel'

),

present as (

    -- The deal that stands for the chain now: a live one if there is one, else the latest.
    select
        deal_chain_id,
        deal_id,
        unit_id,
        is_live,
        row_number() over (
            partition by deal_chain_id
            order by
                case when is_live then 0 else 1 end,
                case when swapped_at is null then 0 else 1 end,
                first_event_at desc,
                deal_id desc
        ) as preference
    from deal
    where first_event_at is not null

),

chain as (

    select
        deal_chain_id,
        min(first_event_at) as first_event_at,
        max(case when is_live then 1 else 0 end) = 1 as is_live,
        max(case when is_ever_cancelled then 1 else 0 end) = 1 as is_ever_cancelled,
        max(case when first_event_at is not null and cancelled_at is null and swapped_at is null then 1 else 0 end) = 0
            as is_ended,
        max(cancelled_at) as last_cancelled_at,
        sum(present_amount) as present_amount,
        sum(present_area) as present_area
    from deal
    group by deal_chain_id

),

root as (

    select * from deal
    where deal_id = deal_chain_id

),

joined as (

    select
        chain.deal_chain_id,
        root.lead_id,
        root.customer_id,
        root.project_id,
        chain.first_event_at,
        first_contract.occurred_at as first_contract_at,
        first_contract.occurred_on as first_contract_on,
        first_contract.deal_id as first_contract_deal_id,
        first_contract.credit_employee_id as employee_id,
        chain.is_live,
        chain.is_ever_cancelled,
        last_cancellation.reason_id as cancel_reason_id,
        case when chain.is_ended then chain.last_cancelled_at end as cancelled_at,
        case when present.is_live then present.deal_id end as live_deal_id,
        present.unit_id,
        cast(chain.present_amount as decimal(28, 2)) as present_amount,
        cast(chain.present_area as decimal(28, 2)) as present_area
    from chain
    inner join root on chain.deal_chain_id = root.deal_chain_id
    inner join present on chain.deal_chain_id = present.deal_chain_id and present.preference = 1
    left join first_contract
        on chain.deal_chain_id = first_contract.deal_chain_id and first_contract.preference = 1
    left join last_cancellation
        on chain.deal_chain_id = last_cancellation.deal_chain_id and last_cancellation.preference = 1

)

select * from joined
