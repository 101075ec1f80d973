-- The day of first contact, taken at midnight in Brazil, which is where the export was made.
-- No owner: the export names a sales development representative only for deals that closed. As owners at entry they
-- would all convert at 100 %.
select
    mql_id as external_ref,
    mql_id as customer_ref,
    'olist-marketplace' as project_ref,
    'olist-origin-' || origin as source_ref,
    landing_page_id as activity_ref,
    timezone('UTC', timezone('America/Sao_Paulo', strptime(first_contact_date, '%Y.%m.%d'))) as opened_at
from olist_marketing_qualified_leads_dataset
