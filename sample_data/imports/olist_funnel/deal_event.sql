-- A won deal is a contract of the sales representative. Its amount is the revenue the seller declared; 797 are 0 and
-- stay 0. One deal was won before the first contact of its lead: the dates stay as they are, and the lead still counts
-- as converted, because conversion asks whether it has a live deal, not when.
select
    mql_id || '-contract' as external_ref,
    mql_id as deal_ref,
    'contract' as kind,
    timezone('UTC', timezone('America/Sao_Paulo', strptime(won_date, '%Y.%m.%d %H:%M'))) as occurred_at,
    cast(declared_monthly_revenue as decimal(18, 2)) as amount,
    sr_id as employee_ref
from olist_marketing_closed_deals_dataset
