-- One deal per closed lead; a marketplace has no unit to choose.
select
    mql_id as external_ref,
    mql_id as lead_ref,
    mql_id as customer_ref,
    'olist-marketplace' as project_ref
from olist_marketing_closed_deals_dataset
