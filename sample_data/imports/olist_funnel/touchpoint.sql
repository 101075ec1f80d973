-- The first contact is the only contact with marketing that the export knows.
select
    mql_id || '-first' as external_ref,
    mql_id as customer_ref,
    'olist-marketplace' as project_ref,
    'olist-origin-' || origin as source_ref,
    landing_page_id as activity_ref,
    'first contact' as kind,
    timezone('UTC', timezone('America/Sao_Paulo', strptime(first_contact_date, '%Y.%m.%d'))) as occurred_at
from olist_marketing_qualified_leads_dataset
