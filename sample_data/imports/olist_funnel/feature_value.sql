-- One row per customer and feature that is known.
with described as (
    select mql_id as customer_key, 'business segment' as feature, "business segment" as value
    from olist_marketing_closed_deals_dataset
    union all
    select mql_id, 'lead type', "lead type" from olist_marketing_closed_deals_dataset
    union all
    select mql_id, 'business type', business_type from olist_marketing_closed_deals_dataset
    union all
    select coalesce(deal.mql_id, seller.seller_id), 'state', seller.seller_state
    from olist_sellers_dataset as seller
    left join olist_marketing_closed_deals_dataset as deal using (seller_id)
)

select
    customer_key || '-' || feature as external_ref,
    'olist-' || feature as feature_ref,
    customer_key as entity_ref,
    value
from described
where value is not null
