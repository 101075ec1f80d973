{{- config(meta={'increment': {'sum': ['row_count', 'filled_count']}}) -}}
{#- Column, whether it holds text, and of which rows a value is expected (SQL condition). -#}
{% set customer_fields = [
    ('gender', true, "customer_kind = 'person'"),
    ('birth_on', false, "customer_kind = 'person'"),
    ('education', true, "customer_kind = 'person'"),
    ('occupation', true, "customer_kind = 'person'"),
    ('income_band', true, "customer_kind = 'person'"),
    ('personality', true, "customer_kind = 'person'"),
    ('customer_class_id', false, 'true'),
] -%}
{% set lead_fields = [
    ('source_id', false, 'true'),
    ('employee_id', false, 'true'),
    ('intent_level', true, 'true'),
] -%}
{% set demand_fields = [
    ('channel', true, 'true'),
    ('severity', true, 'true'),
    ('unit_id', false, "phase = 'property'"),
] -%}
{% set lead_event_fields = [('reason_id', false, "event_kind = 'lost'")] -%}
{% set deal_event_fields = [('reason_id', false, "event_kind = 'cancel'")] -%}
{% set expense_fields = [('expense_category_id', false, 'true')] -%}
{% set entered = [
    ('customer', customer_fields),
    ('lead', lead_fields),
    ('lead_event', lead_event_fields),
    ('deal_event', deal_event_fields),
    ('demand', demand_fields),
    ('expense', expense_fields),
] -%}

with lead as (

    select * from {{ ref('stg_lead') }}

),

customer as (

    select * from {{ ref('stg_customer') }}

),

lead_event as (

    select * from {{ ref('stg_lead_event') }}

),

deal as (

    select * from {{ ref('stg_deal') }}

),

deal_event as (

    select * from {{ ref('stg_deal_event') }}

),

expense as (

    select * from {{ ref('stg_expense') }}

),

demand as (

    select * from {{ ref('stg_demand') }}

),

demand_event as (

    select * from {{ ref('stg_demand_event') }}

),

feature as (

    select * from {{ ref('stg_feature') }}
    where entity_kind = 'customer' and class_id is null

),

feature_value as (

    select distinct
        feature_id,
        entity_id
    from {{ ref('stg_feature_value') }}
    where nullif(trim(feature_value), '') is not null

),

ordered_lead as (

    select
        *,
        row_number() over (partition by customer_id order by opened_at, lead_id) as place
    from lead

),

ordered_event as (

    select
        demand_id,
        employee_id,
        row_number() over (partition by demand_id order by occurred_at, demand_event_id) as place
    from demand_event

),

entered_customer as (

    select
        customer.*,
        ordered_lead.project_id,
        ordered_lead.employee_id,
        cast({{ dbt.date_trunc('month', 'ordered_lead.opened_on') }} as date) as month_on
    from customer
    inner join ordered_lead on customer.customer_id = ordered_lead.customer_id and ordered_lead.place = 1

),

entered_lead as (

    select
        lead.*,
        cast({{ dbt.date_trunc('month', 'lead.opened_on') }} as date) as month_on
    from lead

),

entered_lead_event as (

    select
        lead_event.*,
        lead.project_id,
        cast({{ dbt.date_trunc('month', 'lead_event.occurred_on') }} as date) as month_on
    from lead_event
    inner join lead on lead_event.lead_id = lead.lead_id

),

entered_deal_event as (

    select
        deal_event.*,
        deal.project_id,
        cast({{ dbt.date_trunc('month', 'deal_event.occurred_on') }} as date) as month_on
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id

),

entered_expense as (

    select
        expense.*,
        cast({{ dbt.date_trunc('month', 'expense.incurred_on') }} as date) as month_on
    from expense

),

entered_demand as (

    select
        demand.*,
        ordered_event.employee_id,
        cast({{ dbt.date_trunc('month', 'demand.received_on') }} as date) as month_on
    from demand
    left join ordered_event on demand.demand_id = ordered_event.demand_id and ordered_event.place = 1

),

{% for table, fields in entered -%}
    counted_{{ table }} as (

        select
            project_id,
            employee_id,
            month_on,
        {% for column, is_text, condition in fields -%}
            {% set value = "nullif(trim(" ~ column ~ "), '')" if is_text else column -%}
            sum(case when {{ condition }} then 1 else 0 end) as {{ column }}_expected,
            sum(case when {{ condition }} and {{ value }} is not null then 1 else 0 end) as {{ column }}_filled
            {{- "," if not loop.last }}
        {% endfor %}
        from entered_{{ table }}
        group by project_id, employee_id, month_on

    ),

{% endfor -%}
counted_feature as (

    select
        feature.feature_name,
        entered_customer.project_id,
        entered_customer.employee_id,
        entered_customer.month_on,
        count(*) as row_count,
        count(feature_value.entity_id) as filled_count
    from entered_customer
    cross join feature
    left join feature_value
        on
            feature.feature_id = feature_value.feature_id
            and entered_customer.customer_id = feature_value.entity_id
    group by
        feature.feature_name, entered_customer.project_id, entered_customer.employee_id, entered_customer.month_on

),

field as (

    {% for table, fields in entered -%}
        {% for column, is_text, condition in fields -%}
            select
                '{{ table }}' as crm_table,
                '{{ table }}.{{ column }}' as crm_field,
                project_id,
                employee_id,
                month_on,
                {{ column }}_expected as row_count,
                {{ column }}_filled as filled_count
            from counted_{{ table }}
            union all
        {% endfor -%}
    {% endfor -%}
    select
        'customer' as crm_table,
        concat('customer/', feature_name) as crm_field,
        project_id,
        employee_id,
        month_on,
        row_count,
        filled_count
    from counted_feature

),

field_completeness as (

    select
        concat(
            crm_field, '-', coalesce(project_id, 0), '-', coalesce(employee_id, 0), '-', month_on
        ) as field_completeness_id,
        crm_table,
        crm_field,
        project_id,
        employee_id,
        month_on,
        cast(row_count as bigint) as row_count,
        cast(filled_count as bigint) as filled_count
    from field
    where row_count > 0

)

select * from field_completeness
