{{- config(meta={'increment': {'by': 'deal_id', 'of': 'deal'}}) -}}
with deal_share as (

    select * from {{ ref('stg_deal_share') }}

),

deal as (

    select * from {{ ref('stg_deal') }}

),

share_of_deal as (

    select
        deal_share.deal_id,
        deal_share.employee_id,
        sum(deal_share.share) as agreed_share
    from deal_share
    inner join deal on deal_share.deal_id = deal.deal_id
    group by deal_share.deal_id, deal_share.employee_id

),

normalised as (

    select
        deal_id,
        employee_id,
        cast(agreed_share / sum(agreed_share) over (partition by deal_id) as decimal(7, 6)) as weight,
        row_number() over (partition by deal_id order by agreed_share desc, employee_id asc) as place
    from share_of_deal

),

balanced as (

    -- What rounding leaves goes to the largest share, so that the weights of a deal sum to exactly 1.
    select
        deal_id,
        employee_id,
        cast(
            weight + case when place = 1 then 1 - sum(weight) over (partition by deal_id) else 0 end as decimal(7, 6)
        ) as weight
    from normalised

)

select * from balanced
