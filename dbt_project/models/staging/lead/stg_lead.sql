with lead as (

    select * from {{ source('raw', 'lead') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

localised as (

    select
        lead.id as lead_id,
        lead.customer_id,
        lead.project_id,
        lead.source_id,
        lead.activity_id,
        lead.employee_id,
        lead.opened_at,
        {{ local_date('lead.opened_at') }} as opened_on,
        lead.intent_level,
        lead.intended_area_sqm,
        lead.created_at as entered_at
    from lead
    inner join refresh on lead.opened_at <= refresh.as_of

)

select * from localised
