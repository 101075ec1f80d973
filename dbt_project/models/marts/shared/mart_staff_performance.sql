-- noqa: disable=LT02,AM06
with lead_fact as (

    select * from {{ ref('fct_lead') }}
    where employee_id is not null

),

visit as (

    select * from {{ ref('fct_visit') }}
    where employee_id is not null

),

sales_posting as (

    select * from {{ ref('fct_sales_posting') }}
    where employee_id is not null

),

deal_chain as (

    select * from {{ ref('fct_deal_chain') }}
    where employee_id is not null

),

payment as (

    select * from {{ ref('fct_payment') }}
    where employee_id is not null

),

demand as (

    select * from {{ ref('fct_demand') }}

),

survey_answer as (

    select * from {{ ref('fct_survey_answer') }}
    where employee_id is not null

),

employee as (

    select * from {{ ref('dim_employee') }}

),

department as (

    select * from {{ ref('dim_department') }}

),

{#- What is counted, by relation: the person, the person's department, the day, and the columns. -#}
{%- set counts = {
    'lead_count': ('lead_fact', 'employee_id', 'department_id', 'opened_on', {
        'leads': 'count(*)',
        'converted_leads': 'count(case when is_converted then 1 end)',
        'contracted_leads': 'count(case when has_contract then 1 end)',
        'customers_served': 'count(distinct customer_id)',
    }),
    'visit_count': ('visit', 'employee_id', 'department_id', 'visited_on', {'visits': 'count(*)'}),
    'sales_sum': ('sales_posting', 'employee_id', 'department_id', 'posted_on', {
        'contracts_gross': 'sum(contracts_gross)',
        'contracts_cancelled': 'sum(contracts_cancelled)',
        'contract_amount_gross': 'sum(contract_amount_gross)',
        'contract_amount_amended': 'sum(contract_amount_amended)',
        'contract_amount_cancelled': 'sum(contract_amount_cancelled)',
    }),
    'cohort_sum': ('deal_chain', 'employee_id', 'department_id', 'first_contract_on', {
        'contracts_signed': 'sum(contracts_signed)',
        'contracts_ever_cancelled': 'sum(contracts_ever_cancelled)',
        'contract_amount_restated': 'sum(contract_amount_restated)',
    }),
    'payment_sum': ('payment', 'employee_id', 'department_id', 'received_on', {
        'collected_amount': 'sum(collected_amount)',
    }),
    'complaint_count': ('demand', 'responsible_employee_id', 'responsible_department_id', 'received_on', {
        'complaints_about_staff': 'count(case when is_valid_complaint then 1 end)',
    }),
    'reply_count': ('demand', 'handler_employee_id', 'reply_department_id', 'due_on', {
        'replies_due': 'count(case when is_reply_due then 1 end)',
        'replies_in_time': 'count(case when is_reply_due and is_reply_timely then 1 end)',
    }),
    'rating_count': ('demand', 'resolver_employee_id', 'resolver_department_id', 'rated_on', {
        'follow_ups_rated': 'count(satisfaction)',
        'follow_ups_satisfied': 'count(case when satisfaction >= 4 then 1 end)',
    }),
    'answer_count': ('survey_answer', 'employee_id', 'department_id', 'submitted_on', {
        'satisfaction_answers': "count(case when question_kind = 'satisfaction' then 1 end)",
        'satisfied_answers': "count(case when question_kind = 'satisfaction' and value_number >= 4 then 1 end)",
    }),
} -%}
{%- set decimals = ['contracts_gross', 'contracts_cancelled', 'contracts_signed', 'contracts_ever_cancelled'] %}

counted as (

    {% for relation, person, unit, day, columns in counts.values() -%}
    select
        {{ person }} as employee_id,
        {{ unit }} as department_id,
        cast({{ dbt.date_trunc('month', day) }} as date) as month_on,
        {% for _, _, _, _, all_columns in counts.values() -%}
        {%- set outer = loop -%}
        {%- for column in all_columns -%}
        {{ columns[column] if column in columns else '0' }} as {{ column }}
        {{- "," if not (outer.last and loop.last) }}
        {% endfor -%}
        {%- endfor -%}
    from {{ relation }}
    where {{ person }} is not null and {{ day }} is not null
    group by 1, 2, 3
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

summed as (

    select
        employee_id,
        department_id,
        month_on,
        {% for _, _, _, _, columns in counts.values() -%}
        {%- set outer = loop -%}
        {%- for column in columns -%}
        cast(sum({{ column }}) as
        {%- if column in decimals %} decimal(18, 6)
        {%- elif 'amount' in column %} decimal(38, 8)
        {%- else %} bigint
        {%- endif %}) as {{ column }}
        {{- "," if not (outer.last and loop.last) }}
        {% endfor -%}
        {%- endfor -%}
    from counted
    group by employee_id, department_id, month_on

),

staff_performance as (

    select
        summed.month_on,
        summed.employee_id,
        employee.employee_number as employee,
        employee.employee_name,
        summed.department_id,
        department.department_name as department,
        {% for _, _, _, _, columns in counts.values() -%}
        {%- set outer = loop -%}
        {%- for column in columns -%}
        summed.{{ column }}
        {{- "," if not (outer.last and loop.last) }}
        {% endfor -%}
        {%- endfor -%}
    from summed
    left join employee on summed.employee_id = employee.employee_id
    left join department on summed.department_id = department.department_id

)

select * from staff_performance
