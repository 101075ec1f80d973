-- The marketplace stands where a developer has an estate: leads and deals belong to a project.
select
    'olist-marketplace' as external_ref,
    'Olist marketplace' as name,
    'marketplace' as type
