-- Sales development and sales representatives of the closed deals; the export is anonymous, so the first eight
-- characters of the key are number and name.
with representative as (
    select sdr_id as employee_key from olist_marketing_closed_deals_dataset
    union
    select sr_id from olist_marketing_closed_deals_dataset
)

select
    employee_key as external_ref,
    left(employee_key, 8) as number,
    left(employee_key, 8) as name
from representative
where employee_key is not null
