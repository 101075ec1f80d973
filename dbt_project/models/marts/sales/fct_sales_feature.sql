{{- config(meta={'increment': {'by': 'customer_id', 'with': 'fct_customer_answer'}}) -}}
with posting as (

    select * from {{ ref('fct_sales_posting') }}
    where posting_kind in ('contract', 'swap', 'amend', 'contract_cancel')

),

answer as (

    select * from {{ ref('fct_customer_answer') }}

),

sales_feature as (

    select
        posting.sales_posting_id,
        answer.feature_id,
        answer.answer_number,
        posting.customer_id,
        posting.project_id,
        posting.source_id,
        posting.activity_id,
        posting.plan_id,
        posting.employee_id,
        posting.department_id,
        posting.posted_on,
        answer.feature_name,
        answer.feature_value,
        answer.answer_number = 1 as is_first_answer,
        posting.contracts_gross - posting.contracts_cancelled as contracts,
        posting.contract_amount_gross + posting.contract_amount_amended - posting.contract_amount_cancelled
            as contract_amount
    from posting
    inner join answer on posting.customer_id = answer.customer_id

)

select * from sales_feature
