{#-
    One test for the whole grain of a model: each entry of `keys` (a column, or a list of columns that form a key
    together) is unique and filled, and each column of `required` is filled. Returns a row per broken rule and key.

    After an incremental build only the rows that it made can break a rule that held before, alone or together with
    others of the same key.
-#}
{% test keys_and_required(model, keys, required=[]) %}

    {%- set step = increment_step(model) -%}
    {%- set is_part = step is not none and step.made != '' %}

    with checked as (

        select * from {{ step.made if is_part else model }}

    )

    {% for key in keys %}
    {%- set columns = [key] if key is string else key %}
    select
        'key {{ columns | join(", ") }}' as rule,
        cast({{ columns[0] }} as {{ dbt.type_string() }}) as example,
        count(*) as row_count
    from {% if not is_part -%}
        checked
    {%- else -%} (
        select {{ columns | join(", ") }} from {{ model }}
        where ({{ columns | join(", ") }}) in (select {{ columns | join(", ") }} from checked)
        union all
        select {{ columns | join(", ") }} from checked
        where {% for column in columns %}{{ column }} is null{{ " or " if not loop.last }}{% endfor %}
    )
    {%- endif %}
    group by {{ columns | join(", ") }}
    having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ " or " if not loop.last }}{% endfor %}
    {% if not loop.last or required %}union all{% endif %}
    {% endfor %}
    {% for column in required %}
    select
        'required {{ column }}' as rule,
        null as example,
        count(*) as row_count
    from checked
    where {{ column }} is null
    having count(*) > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

{% endtest %}
