-- The log does not say which site a ticket concerns: the desk as a whole is the project.
select
    'helpdesk' as external_ref,
    'Helpdesk' as name
