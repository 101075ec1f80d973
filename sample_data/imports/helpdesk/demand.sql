-- One demand per case, received when its first activity was complete. The log gives no offset; times are kept as UTC.
select
    'helpdesk-' || "CaseID" as external_ref,
    'helpdesk-requesters' as customer_ref,
    'helpdesk' as project_ref,
    'helpdesk-ticket' as demand_category_ref,
    'property' as phase,
    min(cast("CompleteTimestamp" as timestamp)) as received_at
from helpdesk
group by "CaseID"
