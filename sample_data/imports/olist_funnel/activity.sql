-- A landing page is one job of marketing. It is reached from several origins, so it has no source of its own.
select
    landing_page_id as external_ref,
    landing_page_id as name
from olist_marketing_qualified_leads_dataset
group by landing_page_id
