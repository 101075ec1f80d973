-- The log does not classify its tickets; a ticket of a service desk is a service request.
select
    'helpdesk-ticket' as external_ref,
    'service_request' as kind,
    'Helpdesk ticket' as name
