-- What the closed deals and the seller list tell about a customer.
select
    'olist-' || name as external_ref,
    'customer' as entity,
    name,
    'choice' as data_type
from (values ('business segment'), ('lead type'), ('business type'), ('state')) as feature (name)
