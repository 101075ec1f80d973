-- The log does not say who asked. One customer stands for all of them, so that nobody is invented.
select
    'helpdesk-requesters' as external_ref,
    'company' as kind,
    'Requesters of the helpdesk (not recorded)' as name
