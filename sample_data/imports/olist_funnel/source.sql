-- The origins of the leads, under the names of the file.
select
    'olist-origin-' || origin as external_ref,
    origin as name,
    case
        when origin in ('Paid Search', 'Organic Search', 'Social', 'Email', 'Display') then 'online'
        when origin = 'Direct Traffic' then 'direct'
        when origin = 'Referral' then 'referral'
        when origin = 'Other Publicities' then 'media'
        else 'other'
    end as market_type
from olist_marketing_qualified_leads_dataset
group by origin
