{{- config(meta={'increment': {'by': 'customer_id', 'with': 'fct_customer_answer'}}) -}}
with lead_fact as (

    select * from {{ ref('fct_lead') }}

),

answer as (

    select * from {{ ref('fct_customer_answer') }}

),

lead_feature as (

    select
        lead_fact.lead_id,
        answer.feature_id,
        answer.answer_number,
        lead_fact.customer_id,
        lead_fact.project_id,
        lead_fact.source_id,
        lead_fact.activity_id,
        lead_fact.plan_id,
        lead_fact.employee_id,
        lead_fact.department_id,
        lead_fact.opened_on,
        lead_fact.is_converted,
        answer.feature_name,
        answer.feature_value
    from lead_fact
    inner join answer on lead_fact.customer_id = answer.customer_id

)

select * from lead_feature
