-- Each lead is a customer of its own: only the 842 closed ones have a seller_id, so the key of the lead (mql_id) is the
-- one that stays when a lead closes later. Sellers who did not come through this funnel are customers without a lead.
with lead_customer as (
    select mql_id as external_ref from olist_marketing_qualified_leads_dataset
),

other_seller as (
    select seller_id as external_ref
    from olist_sellers_dataset
    anti join olist_marketing_closed_deals_dataset using (seller_id)
)

select
    external_ref,
    'company' as kind
from (from lead_customer union all from other_seller)
