{{- config(meta={'increment': {'by': 'lead_id', 'of': 'lead'}}) -}}
with lead as (

    select * from {{ ref('stg_lead') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

collapsed as (

    select
        lead.lead_id,
        first_value(lead.lead_id) over (
            partition by survivor.survivor_id, lead.project_id
            order by lead.opened_at, lead.lead_id
        ) as collapsed_lead_id
    from lead
    inner join survivor on lead.customer_id = survivor.customer_id

)

select * from collapsed
