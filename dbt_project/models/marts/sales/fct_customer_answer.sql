{#- Fewer customers than this could be recognised by what somebody typed about them. -#}
{%- set fewest_customers = 5 -%}
{#- Who gave an answer that became common, or rare, by what others said. -#}
{%- set reached -%}
    select answered.customer_id
    from marts.fct_customer_feature as answered
    inner join increment.changed_int_answer_count as changed
        on answered.feature_id = changed.feature_id and answered.feature_value = changed.feature_value
    where
        (changed.customer_count_before < {{ fewest_customers }}) <> (changed.customer_count < {{ fewest_customers }})
{%- endset -%}
{{- config(meta={'increment': {'by': 'customer_id', 'reached': reached}}) -}}
with recursive customer_class as (

    select * from {{ ref('stg_customer_class') }}

),

class_above as (

    select
        customer_class_id,
        customer_class_id as ancestor_id,
        parent_id as next_id,
        cast(concat('/', customer_class_id, '/') as {{ dbt.type_string() }}) as visited
    from customer_class

    union all

    select
        class_above.customer_class_id,
        customer_class.customer_class_id as ancestor_id,
        customer_class.parent_id as next_id,
        cast(concat(class_above.visited, customer_class.customer_class_id, '/') as {{ dbt.type_string() }}) as visited
    from class_above
    inner join customer_class on class_above.next_id = customer_class.customer_class_id
    -- A circle of parents ends where it meets itself.
    where class_above.visited not like concat('%/', customer_class.customer_class_id, '/%')

),

customer as (

    select * from {{ ref('dim_customer') }}

),

feature as (

    select * from {{ ref('stg_feature') }}
    where entity_kind = 'customer'

),

asked as (

    select
        customer.customer_id,
        feature.feature_id,
        feature.feature_name
    from customer
    inner join feature on feature.class_id is null

    union all

    select
        customer.customer_id,
        feature.feature_id,
        feature.feature_name
    from customer
    inner join class_above on customer.customer_class_id = class_above.customer_class_id
    inner join feature on class_above.ancestor_id = feature.class_id

),

recorded as (

    select * from {{ ref('fct_customer_feature') }}

),

shared as (

    select * from {{ ref('int_answer_count') }}

),

recognisable as (

    select distinct
        recorded.customer_id,
        recorded.feature_id,
        recorded.feature_name,
        case
            when
                recorded.value_type in ('text', 'number', 'date')
                and shared.customer_count < {{ fewest_customers }}
                then 'other'
            else recorded.feature_value
        end as feature_value
    from recorded
    inner join shared
        on recorded.feature_id = shared.feature_id and recorded.feature_value = shared.feature_value

),

answer as (

    select
        coalesce(asked.customer_id, recognisable.customer_id) as customer_id,
        coalesce(asked.feature_id, recognisable.feature_id) as feature_id,
        coalesce(asked.feature_name, recognisable.feature_name) as feature_name,
        recognisable.feature_value
    from asked
    full outer join recognisable
        on asked.customer_id = recognisable.customer_id and asked.feature_id = recognisable.feature_id

),

numbered as (

    select
        *,
        cast(row_number() over (partition by customer_id, feature_id order by feature_value) as integer)
            as answer_number
    from answer

)

select * from numbered
